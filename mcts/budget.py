"""What a search may spend."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mcts.types import Spent


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one search. Once any is reached nothing more is drawn; what was drawn is still grown and valued.

    Attributes:
        tokens: Generated tokens, as counted by the policy's replies.
        tokens_scored: Tokens of steps read by the scorer.
        calls: Requests to policy and scorer together.
        nodes: Nodes of the tree, the root included.
        seconds: Time since the tree was planted. Where a search stops by the clock is not reproducible; its journal
            remembers it.
        simulations: Simulations.
        stop_when_solved: Stop at the first solution a checker accepts.

    Raises:
        ValueError: No limit, or one that allows nothing.
    """

    tokens: int | None = None
    tokens_scored: int | None = None
    calls: int | None = None
    nodes: int | None = None
    seconds: float | None = None
    simulations: int | None = None
    stop_when_solved: bool = False

    def __post_init__(self) -> None:
        limits = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "stop_when_solved" and getattr(self, field.name) is not None
        }
        if not limits:
            raise ValueError("expected a limit: tokens, tokens_scored, calls, nodes, seconds or simulations")
        for name, limit in limits.items():
            if not limit > 0:
                raise ValueError(f"{name}={limit}, expected more than 0")

    def is_spent(self, spent: Spent, simulations: int) -> bool:
        """Whether a limit is reached, the clock's aside."""
        used = (
            (self.tokens, spent.tokens_generated),
            (self.tokens_scored, spent.tokens_scored),
            (self.calls, spent.policy_calls + spent.scorer_calls),
            (self.nodes, spent.nodes),
            (self.simulations, simulations),
        )
        return any(limit is not None and amount >= limit for limit, amount in used)
