"""A maker of shards: trees stream through its scheduler, are judged beside it, and written a shard at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from mcts.tree import SearchTree
from regrow.config import Config
from regrow.dist.worker import BEAT_S, Report
from regrow.generate.journals import Journals
from regrow.generate.judges import Judges
from regrow.generate.plan import Plan
from regrow.generate.shard import Shard, folder_of, record_of
from regrow.models import Models
from regrow.searches import Searches, name_of

Order = tuple[int, Shard]
"""A shard and its number."""

_JUDGED_LATE = 2
"""Trees that may wait to be judged, as a multiple of those that are searched at once."""


class Maker:
    """Makes the shards that it is handed. Implements `regrow.dist.worker.Worker`.

    Memory holds the trees under way and those whose shard waits for its last one.

    Args:
        models: Those that the configuration stands for.
        folder: Of the data set.
    """

    def __init__(self, config: Config, models: Models, folder: Path) -> None:
        self._plan = Plan(config, models)
        self._folder = folder
        self._shards: dict[int, Shard] = {}
        self._shard_of: dict[str, int] = {}
        self._journals = Journals(folder, self._shard_of.__getitem__)
        limits = config.scheduler
        self._searches = Searches(self._plan.engines.scheduler(limits, self._journals), limits.trees_at_once)
        self._judges = Judges(self._plan.task, _JUDGED_LATE * limits.trees_at_once)

    def advance(self, orders: Sequence[Order]) -> Report:
        """Take shards, search until a tree has finished and `BEAT_S` have passed, or none is left, and report."""
        done: dict[str, None] = {str(number): None for number, shard in orders if not self._begins(number, shard)}
        end = monotonic() + BEAT_S
        trees = tokens = 0
        while self._shards and not ((trees or done) and monotonic() >= end):
            for tree in self._searches.advance():
                self._take(tree)
                trees, tokens = trees + 1, tokens + tree.spent.tokens_generated
            done |= dict.fromkeys(map(str, self._written()))
        return Report(done, trees, tokens=tokens)

    def _begins(self, number: int, shard: Shard) -> bool:
        """Search a shard's problems; False if it lies there, as its maker was lost between writing and saying so."""
        if record_of(folder_of(self._folder, number)) is not None:
            self._journals.drop(number)
            return False
        self._shards[number] = shard
        for graded in shard.problems.values():
            query = self._plan.query(graded.problem)
            self._shard_of[name_of(query)] = number
            self._searches.add(query)
        return True

    def _take(self, tree: SearchTree) -> None:
        """Have a finished tree judged, beside the searches that go on."""
        shard = self._shards[self._shard_of.pop(f"{tree.strategy}/{tree.problem.id}")]
        graded = shard.problems[tree.problem.id]
        shard.trees[tree.problem.id] = self._judges.judge(graded, tree)

    def _written(self) -> Iterator[int]:
        """Write the shards that are ready; where nothing is left to search, all of them."""
        plan = self._plan
        for number, shard in list(self._shards.items()):
            if self._searches and not shard.is_ready:
                continue
            shard.write(folder_of(self._folder, number), plan.task, plan.prompt, plan.selection, plan.seed)
            self._journals.drop(number)
            del self._shards[number]
            yield number
