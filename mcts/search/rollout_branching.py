"""Rollout branching: every sampled solution is kept; the search decides from which prefix to draw the next one."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.forest import Forest, Tree
from mcts.requests import Draw, Grow, SelectPrefix, Simulation
from mcts.search.search import credit_solutions
from mcts.types import Proposal, Until


@dataclass(frozen=True, slots=True)
class RolloutBranching:
    """Never sample less than a complete solution, so that no level of the tree costs a round before the first answer.

    Drawn from is the prefix from which a new, correct solution is most to be expected for its cost. What the policy
    has shown there counts by its own probability, what it has not by the scorer's value, a prior worth `strength`
    draws (`kernels.expected_success`): so the search leaves what it has exhausted, also where the policy is sure.

    Attributes:
        width: Solutions drawn per turn.
        opening: Solutions drawn at the root before any branching.
        strength: k, the weight of the scorer's value in draws.
        root_share: The least share of draws that the root keeps, whatever the scorer says.
    """

    width: int = 1
    opening: int = 4
    strength: float = 3.0
    root_share: float = 0.25
    temperature: float = 1.0
    name: str = "rollout_branching"

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Choose a prefix, draw complete solutions from it, keep every step, credit the evidence."""
        prefix: int = yield SelectPrefix(self.strength, self.root_share, self.opening)
        proposal: Proposal = yield Draw(prefix, self.width, Until.END, self.temperature)
        leaves: list[int] = yield Grow(prefix, proposal)
        yield from credit_solutions(leaves, prefix)
        return True
