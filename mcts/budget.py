"""What a search may spend."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from mcts.types import Spent


class Unit(StrEnum):
    """Limits of a `Budget` in which searches are compared: a search with less is one with more, looked at earlier."""

    TOKENS = "tokens"
    SIMULATIONS = "simulations"


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

    def is_spent(self, cost: Spent, nodes: int, simulations: int) -> bool:
        """Whether a limit is reached, the clock's aside."""
        return (
            (self.tokens is not None and cost.tokens_generated >= self.tokens)
            or (self.simulations is not None and simulations >= self.simulations)
            or (self.nodes is not None and nodes >= self.nodes)
            or (self.calls is not None and cost.policy_calls + cost.scorer_calls >= self.calls)
            or (self.tokens_scored is not None and cost.tokens_scored >= self.tokens_scored)
        )
