"""Tree of Thoughts, depth first (arXiv 2305.10601); breadth first it is a step beam."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, Simulation
from mcts.search.bounds import check_bounds
from mcts.search.search import assess
from mcts.types import Proposal, Until


@dataclass(frozen=True, slots=True)
class TreeOfThoughtsDfs:
    """Go down by the most promising step, come back where nothing is left; begun again when all is visited.

    Constants as in the baseline of ReST-MCTS*.

    Attributes:
        width: Steps drawn at each prefix.
        kept: The best of them that are gone on from.
        prune_below: Steps of a lower value are given up.
        end_gate: A finished solution of at least this value ends the search; None searches on.
    """

    width: int = 3
    kept: int = 2
    prune_below: float = 0.0
    end_gate: float | None = None
    temperature: float = 0.7
    name: str = "tot_dfs"

    def __post_init__(self) -> None:
        check_bounds(self, amounts=("temperature",))
        if self.width < 1 or self.kept < 1:
            raise ValueError(f"expected width and kept of 1 or more, got {self}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Visit prefixes from a stack, the best step of the last one first."""
        stack = [tree.root]
        while stack:
            node = stack.pop()
            proposal: Proposal = yield Draw(node, self.width, Until.STEP, self.temperature)
            children: list[int] = yield Grow(node, proposal)
            values: dict[int, float] = yield from assess(children, [node] * len(children))
            if any(forest.is_final(child) and self._passes(value) for child, value in values.items()):
                return False
            ranked = sorted((child for child in values if forest.is_open(child)), key=lambda child: -values[child])
            stack += [child for child in reversed(ranked[: self.kept]) if values[child] >= self.prune_below]
        return True

    def _passes(self, value: float) -> bool:
        return self.end_gate is not None and value >= self.end_gate
