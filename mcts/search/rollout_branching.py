"""Rollout branching: every sampled solution is kept; the search decides from which prefix to draw the next one."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, SelectPrefix, Simulation
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
        opening: Draws at the root before any branching.
        strength: k, the weight of what is expected of a prefix, in draws.
        doubt: How far that is what was drawn at its parent leads to expect (1), and not what the scorer says (0).
        root_share: The least share of draws that the root keeps, whatever the scorer says.
    """

    opening: int = 1
    strength: float = 3.0
    doubt: float = 0.5
    root_share: float = 0.5
    temperature: float = 1.0
    name: str = "rollout_branching"

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Choose a prefix; draw a solution at the root, a step elsewhere; credit what is new from where it began."""
        prefix: int = yield SelectPrefix(self.strength, self.doubt, self.root_share, self.opening)
        known = len(tree.nodes)
        until = Until.END if prefix == tree.root else Until.STEP
        proposal: Proposal = yield Draw(prefix, 1, until, self.temperature)
        (node,) = yield Grow(prefix, proposal)
        if len(tree.nodes) > known:
            yield from assess([node], [forest.parent(tree.nodes[known])])
        return True
