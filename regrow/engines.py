"""The engines of a search, described so that they can be made where the search is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcts.journal import Recorder
from mcts.panel import NOBODY, Panel
from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Scheduler
from regrow.lazy import Lazy

if TYPE_CHECKING:
    from regrow.config import SchedulerConfig


@dataclass(frozen=True, slots=True)
class Engines:
    """Who answers the requests of a search. Nothing is loaded before `scheduler` is called.

    Attributes:
        scorer: None searches without values.
        panel: Who else may be asked; None is nobody.
        checker: Whose verdicts searches may see; None hides them.
    """

    policy: Lazy[Policy]
    scorer: Lazy[StepScorer | None] | None = None
    panel: Lazy[Panel] | None = None
    checker: Checker | None = None

    def scheduler(self, limits: SchedulerConfig, journal: Recorder | None = None) -> Scheduler:
        """A scheduler over them, in this process.

        Raises:
            InputError: A model that cannot be loaded.
        """
        return Scheduler(
            self.policy(),
            self.scorer() if self.scorer else None,
            panel=self.panel() if self.panel else NOBODY,
            checker=self.checker,
            max_depth=limits.max_depth,
            max_tokens=limits.max_tokens,
            trees_at_once=limits.trees_at_once,
            silence_s=limits.silence_s,
            journal=journal,
        )
