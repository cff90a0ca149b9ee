"""Generation: problems stream in, trees stream through the scheduler, shards stream out."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.tree import SearchTree
from mcts.walk import Query
from regrow.contamination import Contamination
from regrow.generate.journals import Journals
from regrow.generate.plan import Plan
from regrow.generate.shard import Shard, added, folder_of, record_of
from regrow.judging import judged
from regrow.progress import Advance, track
from regrow.seen import Seen
from regrow.tasks.problems import questions
from regrow.tasks.task import GradedProblem

JOURNALS = "journals"


class Generation:
    """One data set in the making. What lies in `folder` already is not made again.

    Memory holds the trees under way and those whose shard waits for its last one, however many problems there are.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.totals: dict[str, Counter[str]] = {"read": Counter()}
        self._plan = plan
        self._folder = folder
        self._shards: dict[int, Shard] = {}
        self._shard_of: dict[str, int] = {}
        self._judges = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="judge")
        self._tokens = self._done = self._solved = 0
        self._start = time.monotonic()

    def run(self) -> None:
        """Search and judge every problem, and write every shard.

        Raises:
            InputError: The problems are not those of the shards that are there.
        """
        folder = self._folder / JOURNALS
        folder.mkdir(exist_ok=True)
        with (
            closing(Journals(folder, self._shard_of.__getitem__)) as journals,
            track("generating", self._plan.total) as advance,
            self._judges,
        ):
            queries = self._queries(journals)
            begun = list(islice(queries, 1))  # a source that cannot be read is told before engines start
            for tree in self._plan.engines.scheduler(self._plan.config.scheduler, journals).run(chain(begun, queries)):
                self._take(tree)
                self._write(journals)
                self._tell(advance)
            self._write(journals, waits=True)
        folder.rmdir()

    # --- problems in ------------------------------------------------------------------------------------------------

    def _queries(self, journals: Journals) -> Iterator[Query]:
        """The trees to grow; the scheduler asks for the next as soon as there is room for it."""
        size = self._plan.problems_per_shard
        number, ready = 0, Shard()
        for graded in self._problems():
            ready.problems[graded.problem.id] = graded
            if len(ready.problems) == size:
                yield from self._begun(number, ready, journals)
                number, ready = number + 1, Shard()
        if ready.problems:
            yield from self._begun(number, ready, journals)

    def _begun(self, number: int, shard: Shard, journals: Journals) -> Iterator[Query]:
        """A shard whose problems are known: its searches, or its counts where it is done."""
        shard.is_whole = True
        folder = folder_of(self._folder, number)
        if (record := record_of(folder)) is not None:
            if record["problems"] != shard.digest:
                raise InputError(
                    f"{folder}: holds other problems than are read now; expected the same, or a new run.dir"
                )
            journals.drop(number)  # an earlier start may have been killed between the two
            self._count(record)
            return
        self._shards[number] = shard
        for graded in shard.problems.values():
            query = self._plan.query(graded.problem)
            self._shard_of[f"{query.search.name}/{graded.problem.id}"] = number
            yield query

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

    # --- shards out -------------------------------------------------------------------------------------------------

    def _take(self, tree: SearchTree) -> None:
        """Have a finished tree judged, beside the searches that go on."""
        shard = self._shards[self._shard_of.pop(f"{tree.strategy}/{tree.problem.id}")]
        graded = shard.problems[tree.problem.id]
        shard.trees[tree.problem.id] = self._judges.submit(judged, self._plan.task, graded, tree)
        self._tokens += tree.spent.tokens_generated

    def _write(self, journals: Journals, *, waits: bool = False) -> None:
        """Write the shards that are ready; all of them, if it `waits`."""
        for number, shard in list(self._shards.items()):
            if waits or shard.is_ready:
                folder = folder_of(self._folder, number)
                shard.write(folder, self._plan.task, self._plan.prompt, self._plan.selection, self._plan.seed)
                journals.drop(number)
                del self._shards[number]
                record = record_of(folder)
                assert record is not None
                self._count(record)

    def _count(self, record: Mapping[str, Any]) -> None:
        added(self.totals, record)
        self._done = self.totals["problems"]["searched"]
        self._solved = self.totals["problems"]["solved"]

    def _tell(self, advance: Advance) -> None:
        waiting = sum(len(shard.trees) for shard in self._shards.values())
        rate = self._tokens / max(1e-9, time.monotonic() - self._start)
        solved = f", {self._solved / self._done:.0%} solved" if self._done else ""
        advance(self._done + waiting, f"{rate:.0f} tokens a second{solved}")
