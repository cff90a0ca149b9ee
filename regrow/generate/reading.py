"""Reading: problems stream in, and become shards that are yet to be made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.seen import Seen
from regrow.contamination import Contamination
from regrow.generate.journals import path_of
from regrow.generate.plan import Plan
from regrow.generate.shard import Shard, added, folder_of, record_of
from regrow.tasks.problems import questions
from regrow.tasks.task import GradedProblem


class Reading(Iterator[tuple[int, Shard]]):
    """The shards that are missing in `folder`, by their number; those that lie there are counted.

    Attributes:
        totals: Counts of what was read, and of all shards that were counted.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.totals: dict[str, Counter[str]] = {"read": Counter()}
        self._plan = plan
        self._folder = folder
        self._shards: Iterator[tuple[int, Shard]] = self._missing()

    def __next__(self) -> tuple[int, Shard]:
        return next(self._shards)

    def __length_hint__(self) -> Any:
        """About how many are to come; `NotImplemented` where nobody knows."""
        if self._plan.total is None:
            return NotImplemented
        return max(0, -(-(self._plan.total - self.totals["read"]["problems"]) // self._plan.problems_per_shard))

    def finds_one(self) -> bool:
        """Whether there is a missing shard; read up to it."""
        first = list(islice(self._shards, 1))
        self._shards = chain(first, self._shards)
        return bool(first)

    def count(self, number: int) -> None:
        """Add the counts of a shard that lies there."""
        record = record_of(folder_of(self._folder, number))
        assert record is not None
        added(self.totals, record)

    def _missing(self) -> Iterator[tuple[int, Shard]]:
        for number, shard in enumerate(self._all()):
            if (record := record_of(folder_of(self._folder, number))) is None:
                yield number, shard
            else:
                self._check(number, shard, record)
                path_of(self._folder, number).unlink(missing_ok=True)  # a start may have been killed between the two
                self.count(number)

    def _check(self, number: int, shard: Shard, record: Mapping[str, Any]) -> None:
        if record["problems"] != shard.digest:
            folder = folder_of(self._folder, number)
            raise InputError(f"{folder}: holds other problems than are read now; expected the same, or a new run.dir")

    def _all(self) -> Iterator[Shard]:
        shard = Shard()
        for graded in self._problems():
            shard.problems[graded.problem.id] = graded
            if len(shard.problems) == self._plan.problems_per_shard:
                yield shard
                shard = Shard()
        if shard.problems:
            yield shard

    def _problems(self) -> Iterator[GradedProblem]:
        """What is read and neither came before nor stands in a test set."""
        read, seen = self.totals["read"], Seen()
        sources, columns = self._plan.test_sets, self._plan.columns
        contamination = Contamination(questions(sources, columns), self._plan.ngram)
        for graded in self._plan.problems():
            read["problems"] += 1
            if seen.first(" ".join(graded.problem.question.casefold().split()), read["problems"]) != read["problems"]:
                read["the same question again"] += 1
            elif graded.problem.question in contamination:
                read["shared with a test set"] += 1
            else:
                yield graded
