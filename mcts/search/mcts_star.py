"""MCTS* of ReST-MCTS* (arXiv 2406.03816, section 3.3 and Algorithm 2; constants of the released code)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from mcts.forest import Forest, Tree
from mcts.requests import (
    BackupChildMean,
    Check,
    Draw,
    Expand,
    Grow,
    Request,
    Revalue,
    SelectUct,
    Simulation,
    Value,
)
from mcts.tree import NO_NODE
from mcts.types import Proposal, Step, StepEnd, Until


@dataclass(frozen=True, slots=True)
class MctsStar:
    """Value-guided tree search over single steps.

    Two rules differ from the released code: a solution ends where the policy ends it, never because a critic says so;
    and a finished or exhausted branch is never selected again. Rollout steps stay out of the tree, as published.

    Attributes:
        width: Children drawn per expansion (`branch`).
        exploration: c.
        log_factor: Factor under the root of the UCT term: 2 in the code, 1 in the paper.
        unvisited_bonus: Finite first-play urgency (`INF` in the code).
        rollout_steps: Steps of the greedy rollout from the best child.
        rollout_width: Proposals per rollout step.
        rollout_weight: Weight of the best value met in the rollout (`alpha`; at 0.5 paper and code agree).
        end_gate: A finished child with at least this value ends the search; None searches on (data generation).
    """

    width: int = 3
    exploration: float = 0.5
    log_factor: float = 2.0
    unvisited_bonus: float = 0.9
    rollout_steps: int = 1
    rollout_width: int = 1
    rollout_weight: float = 0.5
    end_gate: float | None = None
    temperature: float = 0.7
    name: str = "mcts_star"

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Select, expand, roll out from the best child, back up."""
        leaf: int = yield SelectUct(self.exploration, self.log_factor, self.unvisited_bonus)
        if leaf == NO_NODE:
            return False
        proposal: Proposal = yield Draw(leaf, self.width, Until.STEP, self.temperature)
        children: list[int] = list(dict.fromkeys((yield Grow(leaf, proposal))))
        yield Expand(leaf)
        values: tuple[float, ...] = yield tuple(Value(child) for child in children)
        yield tuple(Check(child) for child in children)
        value = max(values)
        best = children[values.index(value)]
        if forest.is_open(best):
            found: float = yield from self._rollout(best)
            value = (1.0 - self.rollout_weight) * value + self.rollout_weight * found
        yield Revalue(best, value)
        yield BackupChildMean(leaf)
        return not any(self._passes(forest, child) for child in children)

    def _rollout(self, node: int) -> Generator[Request | tuple[Request, ...], Any, float]:
        """Follow the best-valued step greedily; return the best value met, 0 if none."""
        beyond: tuple[Step, ...] = ()
        found = 0.0
        for _ in range(self.rollout_steps):
            proposal: Proposal = yield Draw(node, self.rollout_width, Until.STEP, self.temperature, beyond)
            paths = [(*beyond, *continuation) for continuation in proposal]
            values: tuple[float, ...] = yield tuple(Value(node, path) for path in paths)
            best = max(range(len(paths)), key=lambda i: values[i])
            beyond = paths[best]
            found = max(found, values[best])
            if beyond[-1].end is not StepEnd.DELIMITER:
                break
        return found

    def _passes(self, forest: Forest, node: int) -> bool:
        return self.end_gate is not None and forest.is_final(node) and forest.value(node) >= self.end_gate
