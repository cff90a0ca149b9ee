"""MCTS* of ReST-MCTS* (arXiv 2406.03816, section 3.3 and Algorithm 2; constants of the released code)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any

from mcts.forest import Forest, Tree
from mcts.requests import (
    BackupChildMean,
    Check,
    Critique,
    Draw,
    Expand,
    Finish,
    Grow,
    Release,
    Request,
    Revalue,
    SelectUct,
    Simulation,
    Value,
    Widen,
)
from mcts.search.bounds import check_bounds
from mcts.tree import NO_NODE
from mcts.types import Proposal, Step, StepEnd, Until
from mcts.widening import FIXED, Widening


class Mode(StrEnum):
    """What happens where a solution passes the gate: the search ends (`inference`), or goes on (`generation`)."""

    INFERENCE = "inference"
    GENERATION = "generation"


class Rollout(StrEnum):
    """Which of the steps proposed in a rollout is followed: the one of the highest value, or any."""

    GREEDY = "greedy"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class MctsStar:
    """Value-guided tree search over single steps.

    Unlike in the released code, a finished or exhausted branch is never selected again.

    Attributes:
        width: Children drawn per expansion (`branch`).
        widening: Which nodes are given more, later on; published ones are not.
        exploration: c.
        log_factor: Factor under the root of the UCT term: 2 in the code, 1 in the paper.
        unvisited_bonus: First-play urgency: finite in the code (`INF`); None takes unvisited children first (UCT).
        rollout: `greedy` or `random`.
        rollout_steps: Steps of the rollout from the best child.
        rollout_width: Proposals per rollout step.
        rollout_weight: Weight of the best value met in the rollout: alpha in the code, 1 - alpha in the paper.
        keeps_rollout: Whether the steps of the rollout stay in the tree; published ones do not.
        end_gate: The value at which a solution passes; None lets none pass.
        gate_ends_unfinished: Whether a passing node counts as finished where no answer was written yet, as in the code.
        mode: `inference` or `generation`.
        asks_critic: Whether the critic, too, may end a solution: the paper's self-critic. Else only the policy ends it.
    """

    width: int = 3
    exploration: float = 0.5
    log_factor: float = 2.0
    unvisited_bonus: float | None = 0.9
    rollout: str = Rollout.GREEDY.value
    rollout_steps: int = 1
    rollout_width: int = 1
    rollout_weight: float = 0.5
    keeps_rollout: bool = False
    end_gate: float | None = None
    gate_ends_unfinished: bool = False
    mode: str = Mode.GENERATION.value
    asks_critic: bool = False
    widening: Widening = FIXED
    temperature: float = 0.7
    name: str = "mcts_star"

    def __post_init__(self) -> None:
        check_bounds(
            self,
            counts=("width", "rollout_width"),
            amounts=("exploration", "log_factor", "rollout_steps", "temperature"),
            shares=("rollout_weight",),
        )
        for name, chosen, known in (("mode", self.mode, Mode), ("rollout", self.rollout, Rollout)):
            if chosen not in list(known):
                raise ValueError(f"{name}={chosen}, expected one of {', '.join(known)}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Select, expand, roll out from the best child, back up."""
        urgency = inf if self.unvisited_bonus is None else self.unvisited_bonus
        leaf: int = yield SelectUct(self.exploration, self.log_factor, urgency)
        if leaf == NO_NODE:
            return False
        if leaf != tree.root and (yield from self._is_finished(forest, leaf)):
            yield Finish(leaf)
            yield BackupChildMean(leaf)
            return not self._ends(forest, leaf)
        width, known = max(1, self.width - forest.draws(leaf)), len(tree.nodes)
        proposal: Proposal = yield Draw(leaf, width, Until.STEP, self.temperature)
        children: list[int] = list(dict.fromkeys((yield Grow(leaf, proposal))))
        yield Expand(leaf)
        if len(tree.nodes) == known:
            yield Release(leaf)
        else:
            yield from self._evaluate(forest, leaf, children)
        if not self.widening.is_fixed:
            yield Widen(leaf, self.widening)
        return not any(forest.is_final(child) and self._ends(forest, child) for child in children)

    def _evaluate(
        self, forest: Forest, leaf: int, children: list[int]
    ) -> Generator[Request | tuple[Request, ...], Any]:
        """Value the children, roll out from the best one, back up."""
        values: tuple[float, ...] = yield tuple(Value(child) for child in children)
        yield tuple(Check(child) for child in children)
        value = max(values)
        best = children[values.index(value)]
        if forest.is_open(best):
            found: float = yield from self._roll_out(best)
            value = (1.0 - self.rollout_weight) * value + self.rollout_weight * found
        yield Revalue(best, value)
        yield BackupChildMean(leaf)

    def _is_finished(self, forest: Forest, node: int) -> Generator[Request, Any, bool]:
        """Whether an unfinished state counts as finished."""
        if self.gate_ends_unfinished and self._passes(forest, node):
            return True
        return self.asks_critic and bool((yield Critique(node)))

    def _roll_out(self, node: int) -> Generator[Request | tuple[Request, ...], Any, float]:
        """Follow one step after another; return the best value met, 0 if none."""
        beyond: tuple[Step, ...] = ()
        found = 0.0
        for _ in range(self.rollout_steps):
            if self.asks_critic and (yield Critique(node, beyond)):
                break
            proposal: Proposal = yield Draw(node, self.rollout_width, Until.STEP, self.temperature, beyond)
            paths = [(*beyond, *continuation) for continuation in proposal]
            values: tuple[float, ...] = yield tuple(Value(node, path) for path in paths)
            # Draws are exchangeable: the first of them is a random one.
            followed = values.index(max(values)) if self.rollout == Rollout.GREEDY else 0
            beyond = paths[followed]
            found = max(found, values[followed])
            if beyond[-1].end is not StepEnd.DELIMITER:
                break
        if self.keeps_rollout and beyond:
            (last,) = yield Grow(node, (beyond,))
            yield Value(last)
            yield Check(last)
        return found

    def _passes(self, forest: Forest, node: int) -> bool:
        return self.end_gate is not None and forest.value(node) >= self.end_gate

    def _ends(self, forest: Forest, node: int) -> bool:
        return self.mode == Mode.INFERENCE and self._passes(forest, node)
