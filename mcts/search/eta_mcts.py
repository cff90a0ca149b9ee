"""eta-MCTS of AlphaLLM (arXiv 2404.12253, section 4.3): options, adaptive width, state merge, three critics."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from mcts.forest import Forest, Tree
from mcts.options import EVERY_STEP, NO_MERGING, EndRule, Merging
from mcts.requests import (
    BackupMean,
    Check,
    Draw,
    Expand,
    Grow,
    Release,
    Request,
    Revalue,
    SelectUcb,
    Simulation,
    Value,
    Widen,
)
from mcts.search.bounds import check_bounds
from mcts.tree import NO_NODE
from mcts.types import Proposal, Role, Step, Until
from mcts.widening import ADAPTIVE, Widening

BLENDS = ("sum", "renorm")

Asking = Generator[Request | tuple[Request, ...], Any, Any]


@dataclass(frozen=True, slots=True)
class EtaMcts:
    """One new option a visit, at the first node on the way down that may be given one.

    A new node's score, s = beta_value (2 V - 1) + beta_prm PRM + beta_orm mean ORM(rollouts), is added to it and all
    above. Scales: V, PRM and ORM tell probabilities in [0, 1]; the value enters in [-1, 1], so that with all betas 1 s
    is in [-1, 3], the scale of the published c and alpha. A critic that is not there adds nothing. The ORM of a
    finished solution is its own, and becomes its value, by which solutions are ranked.

    With `blend="renorm"` process and outcome reward enter centred, beta_prm (PRM - 1/2) + beta_orm (mean ORM - 1/2),
    with both betas 1 PRM + ORM - 1, so that an unknown one adds as much as one that cannot tell: s is in [-2, 2]. That
    is how a review reads ReNorm (PPR, arXiv 2509.25598), which blends rewards of reinforcement learning; the formula
    was not checked against the paper.

    Unlike in the released code a finished branch is never visited again.

    Attributes:
        exploration: c.
        log_factor: Under the root of the bound: 1 in the code, 2 in the paper.
        widening: How many options a node may have: `importance` is the paper's rule, `spread` the code's.
        option: Where an option ends.
        merging: When an option is drawn again.
        beta_value: Of the scorer, the value function.
        beta_prm: Of the PRM beside it.
        beta_orm: Of the mean ORM of the fast rollouts.
        rollouts: Fast rollouts from a new node that is not finished.
        rollout_temperature: Of these.
        greedy_first: Whether the first option of a node is the most likely one.
        end_depth: At this depth options run to the end; None leaves the limit of depth alone.
        blend: How process and outcome reward enter the score: as they are (`sum`), or centred (`renorm`).
    """

    exploration: float = 1.0
    log_factor: float = 1.0
    widening: Widening = ADAPTIVE
    option: EndRule = EVERY_STEP
    merging: Merging = NO_MERGING
    beta_value: float = 1.0
    beta_prm: float = 1.0
    beta_orm: float = 1.0
    rollouts: int = 4
    rollout_temperature: float = 1.0
    greedy_first: bool = False
    end_depth: int | None = None
    blend: str = "sum"
    temperature: float = 0.8
    name: str = "eta_mcts"

    def __post_init__(self) -> None:
        check_bounds(self, amounts=("exploration", "log_factor", "rollout_temperature", "temperature"))
        betas = (self.beta_value, self.beta_prm, self.beta_orm)
        if min(betas) < 0 or self.rollouts < 0 or (self.end_depth is not None and self.end_depth < 1):
            raise ValueError(f"{self}: expected betas and rollouts of 0 or more, and an end_depth of 1 or more")
        if self.blend not in BLENDS:
            raise ValueError(f"blend={self.blend}: expected one of {', '.join(BLENDS)}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Select, add one option, score it, back up, widen."""
        leaf: int = yield SelectUcb(self.exploration, self.log_factor)
        if leaf == NO_NODE:
            return False
        option: Step = yield from self._option(forest, leaf)
        known = len(tree.nodes)
        (node,) = yield Grow(leaf, ((option,),))
        yield Expand(leaf)
        if len(tree.nodes) > known:  # else the same as a sibling, to the letter, however often it was drawn
            score: float = yield from self._score(forest, node)
            yield BackupMean(node, score)
        yield Release(leaf)  # closes the leaf, if nothing beneath it is open
        yield Widen(node, self.widening)
        return True

    def _option(self, forest: Forest, node: int) -> Asking:
        """Draw an option, again while it is like one that is there; the one that is farthest from these."""
        siblings = [forest.step(child) for child in forest.children(node)]
        draws: list[tuple[float, Step]] = []
        while True:
            is_first = self.greedy_first and not siblings and not draws
            drawn: Step = yield from self._draw(forest, node, 0.0 if is_first else self.temperature)
            distance: float = yield from self._distance(node, drawn, siblings)
            draws.append((distance, drawn))
            if distance >= self.merging.nearest or len(draws) > self.merging.redraws:
                break
        return max(draws, key=lambda draw: draw[0])[1]

    def _distance(self, node: int, option: Step, siblings: Sequence[Step]) -> Asking:
        """How far an option is from the nearest of its siblings. Without a judge it is like none."""
        if not siblings or not self.merging.asks_judge:
            return self.merging.distance(option, siblings)
        told: tuple[float, ...] = yield tuple(Value(node, (sibling, option), Role.JUDGE) for sibling in siblings)
        return min(1.0 if isnan(same) else 1.0 - same for same in told)

    def _draw(self, forest: Forest, node: int, temperature: float) -> Asking:
        """One option: a step, or as many as its end rule wants."""
        is_last = self.end_depth is not None and forest.depth(node) + 1 >= self.end_depth
        steps: tuple[Step, ...] = ()
        while not steps or (not is_last and self.option.wants_more(steps)):
            (more,) = yield Draw(node, 1, Until.END if is_last else Until.STEP, temperature, steps)
            steps += more
        return self.option.joined(steps)

    def _score(self, forest: Forest, node: int) -> Asking:
        """S of a new node."""
        asked: tuple[float, float] = yield (Value(node), Value(node, by=Role.PRM))
        verdict: bool | None = yield Check(node)
        outcome: float = yield from self._outcome(forest, node)
        value, prm = asked
        told = float(verdict) if verdict is not None else outcome
        if forest.is_final(node) and not isnan(outcome):
            yield Revalue(node, outcome, counts=False)
        middle = 0.5 if self.blend == "renorm" else 0.0
        terms = (
            (self.beta_value, 2.0 * value - 1.0),
            (self.beta_prm, prm - middle),
            (self.beta_orm, told - middle),
        )
        return sum(beta * term for beta, term in terms if beta and not isnan(term))

    def _outcome(self, forest: Forest, node: int) -> Asking:
        """What the ORM says of a solution, or on the mean of fast rollouts of a beginning; NaN without an ORM."""
        if forest.is_final(node) or not forest.is_open(node):
            return (yield Value(node, by=Role.ORM))
        if not self.rollouts or not self.beta_orm:
            return float("nan")
        rolled: Proposal = yield Draw(node, self.rollouts, Until.END, self.rollout_temperature, by=Role.FAST)
        told: tuple[float, ...] = yield tuple(Value(node, rollout, Role.ORM) for rollout in rolled)
        return sum(told) / len(told)
