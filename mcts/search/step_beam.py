"""Keeping a few prefixes and lengthening them step by step: step beam, DVTS, lookahead, breadth-first Thoughts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import isnan
from typing import Any

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, Request, Simulation, Value
from mcts.search.bounds import check_bounds
from mcts.search.search import assess
from mcts.types import Proposal, Step, StepEnd, Until


@dataclass(frozen=True, slots=True)
class StepBeam:
    """Beam search over steps, ranked by value; begun again with new draws until the budget is spent.

    * beams B1, width B2: step-level beam search (AlphaMath, arXiv 2405.03553).
    * beams 1: one subtree of DVTS; each repetition is the next of its independent subtrees.
    * lookahead k: candidates are ranked by the value k greedy steps further on (arXiv 2408.03314, lookahead search).
    * beams 2, width 3: the breadth-first Tree of Thoughts that ReST-MCTS* compares with (arXiv 2305.10601).

    Attributes:
        beams: Prefixes kept at each depth.
        width: Steps drawn at each of them.
        lookahead: Steps of a greedy rollout before a candidate is valued; they stay out of the tree.
    """

    beams: int = 4
    width: int = 4
    lookahead: int = 0
    temperature: float = 1.0
    name: str = "step_beam"

    def __post_init__(self) -> None:
        check_bounds(self, amounts=("temperature",))
        if self.beams < 1 or self.width < 1 or self.lookahead < 0:
            raise ValueError(f"expected beams and width of 1 or more and lookahead of 0 or more, got {self}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Draw at every prefix of the beam, value what came, keep the best; until all are finished."""
        beam = [tree.root]
        while beam:
            proposals: tuple[Proposal, ...] = yield tuple(
                Draw(node, self.width, Until.STEP, self.temperature) for node in beam
            )
            grown: tuple[list[int], ...] = yield tuple(map(Grow, beam, proposals))
            drawn = [(child, node) for node, children in zip(beam, grown, strict=True) for child in children]
            values = yield from assess([child for child, _ in drawn], [node for _, node in drawn])
            if self.lookahead:
                values |= yield from self._ahead([child for child in values if forest.is_open(child)])
            ranked = sorted(values, key=lambda child: -1.0 if isnan(values[child]) else values[child], reverse=True)
            beam = [child for child in ranked[: self.beams] if forest.is_open(child)]
        return True

    def _ahead(self, nodes: list[int]) -> Generator[Request | tuple[Request, ...], Any, dict[int, float]]:
        """Node -> the value that a greedy rollout from there comes to."""
        found: dict[int, float] = {}
        ahead: dict[int, tuple[Step, ...]] = {node: () for node in nodes}
        for _ in range(self.lookahead):
            if not ahead:
                break
            proposals: tuple[Proposal, ...] = yield tuple(
                Draw(node, 1, Until.STEP, 0.0, beyond) for node, beyond in ahead.items()
            )
            ahead = {node: (*ahead[node], *proposal[0]) for node, proposal in zip(ahead, proposals, strict=True)}
            values: tuple[float, ...] = yield tuple(Value(node, beyond) for node, beyond in ahead.items())
            found |= dict(zip(ahead, values, strict=True))
            ahead = {node: beyond for node, beyond in ahead.items() if beyond[-1].end is StepEnd.DELIMITER}
        return found
