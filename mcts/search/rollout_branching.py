"""Rollout branching: every sampled solution is kept; the search decides from which prefix to draw the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, SelectPrefix, Simulation
from mcts.search.bounds import check_bounds
from mcts.search.search import assess
from mcts.types import Proposal, Until


@dataclass(frozen=True, slots=True)
class RolloutBranching:
    """Draw where a new correct solution is most to be expected for its cost (`kernels.branching_index`).

    At the root whole solutions are drawn: the draws of best-of-N, of which no scorer can take the root its share.
    Elsewhere a single step is drawn. One that the tree has already costs a step, not a solution, so the search leaves
    what it has exhausted, also where the policy is sure of itself; a new one is valued, and gone on from when no other
    prefix promises more. Only what is new is evidence, and only for the prefixes from which it is new.

    Attributes:
        width: Continuations drawn at once. More keep an engine busy with fewer trees; the search looks less often.
        opening: Draws at the root before any branching.
        strength: k, the weight of what is expected of a prefix, in draws.
        doubt: How far that is what was drawn at its parent leads to expect (1), and not what the scorer says (0).
        root_share: The least share of draws that the root keeps, whatever the scorer says.
    """

    width: int = 1
    opening: int = 1
    strength: float = 3.0
    doubt: float = 0.5
    root_share: float = 0.5
    temperature: float = 1.0
    name: str = "rollout_branching"

    def __post_init__(self) -> None:
        check_bounds(
            self, counts=("width",), amounts=("opening", "strength", "temperature"), shares=("doubt", "root_share")
        )

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Choose a prefix; draw a solution at the root, a step elsewhere; credit what is new from where it began."""
        prefix: int = yield SelectPrefix(self.strength, self.doubt, self.root_share, self.opening)
        known = len(tree.nodes)
        until = Until.END if prefix == tree.root else Until.STEP
        proposal: Proposal = yield Draw(prefix, self.width, until, self.temperature)
        ends: list[int] = yield Grow(prefix, proposal)
        branches = list(_branches(forest, ends, set(tree.nodes[known:])))
        if branches:
            yield from assess([end for end, _ in branches], [origin for _, origin in branches])
        return True


def _branches(forest: Forest, ends: list[int], new: set[int]) -> Iterator[tuple[int, int]]:
    """(end, where it left the tree) of each continuation that brought something new, those before it in the tree."""
    for end in ends:
        node = end
        while node in new:
            new.discard(node)
            node = forest.parent(node)
            if node not in new:
                yield end, node
