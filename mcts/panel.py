"""The engines that a search may ask beside its policy and its scorer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcts.ports import Policy, StepScorer
from mcts.types import Role


@dataclass(frozen=True, slots=True)
class Panel:
    """None where there is no such engine; what a search does without it is its own matter.

    Attributes:
        critic: Says of a state whether it is finished, at values of `scheduler.IS_FINISHED` and above.
        prm: Values steps where the scorer is a value function.
        orm: Values finished solutions.
        judge: Says how probably the last two steps of a state, shown one behind the other, say the same.
        fast: A smaller policy for rollouts; without it the policy does them.
    """

    critic: StepScorer | None = None
    prm: StepScorer | None = None
    orm: StepScorer | None = None
    judge: StepScorer | None = None
    fast: Policy | None = None

    def engines(self) -> Iterator[tuple[Role, Policy | StepScorer]]:
        """Those that are there."""
        scorers = ((Role.CRITIC, self.critic), (Role.PRM, self.prm), (Role.ORM, self.orm), (Role.JUDGE, self.judge))
        named = (*scorers, (Role.FAST, self.fast))
        yield from ((role, engine) for role, engine in named if engine is not None)


NOBODY = Panel()
