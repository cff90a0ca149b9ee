"""Best-of-N: independent complete solutions, the best one chosen afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, Simulation
from mcts.search.bounds import check_bounds
from mcts.search.search import assess
from mcts.types import Proposal, Until


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Draw complete solutions at the root until the budget is spent; at temperature 0, where all are alike, once.

    One simulation draws `width` of them.
    """

    width: int = 1
    temperature: float = 1.0
    name: str = "best_of_n"

    def __post_init__(self) -> None:
        check_bounds(self, counts=("width",), amounts=("temperature",))

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Draw, keep, score."""
        proposal: Proposal = yield Draw(tree.root, self.width, Until.END, self.temperature)
        leaves: list[int] = yield Grow(tree.root, proposal)
        yield from assess(leaves, [tree.root] * len(leaves))
        return self.temperature > 0.0
