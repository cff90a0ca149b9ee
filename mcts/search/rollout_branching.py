"""Rollout branching: every sampled solution is kept; the search decides from which prefix to draw the next one."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, SelectPrefix, Simulation
from mcts.search.search import credit_evidence
from mcts.types import Until


@dataclass(frozen=True, slots=True)
class RolloutBranching:
    """Draw one step where a new correct solution is most to be expected for its cost (`kernels.branching_index`).

    A step that the tree has already costs a step, not a solution: so the search leaves what it has exhausted, also
    where the policy is sure of itself. A new step at the root is rolled out to the end: these are the draws of
    best-of-N, which no scorer can starve. A new step further down is valued; its solution is drawn when no other
    prefix promises more.

    Attributes:
        opening: Draws at the root before any branching.
        strength: k, the weight of the scorer's value in draws.
        root_share: The least share of draws that the root keeps, whatever the scorer says.
    """

    opening: int = 8
    strength: float = 3.0
    root_share: float = 0.25
    temperature: float = 1.0
    name: str = "rollout_branching"

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Choose a prefix, draw a step; if it is new, value it or draw its solution, and credit the evidence."""
        prefix: int = yield SelectPrefix(self.strength, self.root_share, self.opening)
        known = len(tree.nodes)
        (node,) = yield Grow(prefix, (yield Draw(prefix, 1, Until.STEP, self.temperature)))
        if len(tree.nodes) == known:
            return True
        if prefix == tree.root and forest.is_open(node):
            (node,) = yield Grow(node, (yield Draw(node, 1, Until.END, self.temperature)))
        yield from credit_evidence([node], prefix)
        return True
