"""Generation: problems stream in, makers make shards of them, here or wherever there are workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from regrow.build import dist_of
from regrow.dist.fleet import end, fleet_of
from regrow.dist.spread import Spread
from regrow.dist.worker import Worker
from regrow.generate.journals import FOLDER, set_apart
from regrow.generate.maker import Maker, Order
from regrow.generate.plan import Plan
from regrow.generate.reading import Reading
from regrow.lazy import Lazy
from regrow.progress import Advance, track


class Making:
    """Shards as items of a `regrow.dist.spread.Spread`.

    A shard has a journal of its own, from which whoever gets it goes on.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.room = 2 + -(-plan.config.scheduler.trees_at_once // plan.problems_per_shard)
        self._plan = plan
        self._folder = folder.resolve()

    def worker(self, number: int) -> Lazy[Worker]:
        """A maker."""
        return Lazy(Maker, self._plan.config, self._plan.models, self._folder)

    def key(self, item: Order) -> str:
        """The shard's number."""
        return str(item[0])

    def order(self, item: Order) -> Order:
        """The shard, its journal out of reach of a maker that was cut off and lives all the same."""
        set_apart(self._folder, item[0])
        return item

    def bury(self, number: int, items: Sequence[Order]) -> None:
        """Nothing more: the journals are those of the shards."""


class Generation:
    """One data set in the making. What lies in `folder` already is not made again."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._reading = Reading(plan, folder)
        self._plan = plan
        self._folder = folder

    @property
    def totals(self) -> dict[str, Counter[str]]:
        """The counts of its card."""
        return self._reading.totals

    def run(self) -> None:
        """Search and judge every problem, and write every shard.

        Raises:
            InputError: The problems are not those of the shards that are there, or no worker is left.
        """
        (self._folder / FOLDER).mkdir(exist_ok=True)
        with track("generating", self._plan.total) as advance:
            if self._reading.finds_one():  # a source that cannot be read is told before engines start
                self._make(advance)
        (self._folder / FOLDER).rmdir()

    def _make(self, advance: Advance) -> None:
        start, tokens, trees = time.monotonic(), 0, 0
        work = Making(self._plan, self._folder)
        for report in Spread(fleet_of(dist_of(self._plan.config)), work, self._reading).run():
            for number in report.done:
                self._reading.count(int(number))
            trees, tokens = trees + report.trees, tokens + report.tokens
            done = self.totals.get("problems", Counter())
            solved = f", {done['solved'] / done['searched']:.0%} solved" if done else ""
            advance(trees, f"{tokens / (time.monotonic() - start):.0f} tokens a second{solved}")
        end()
