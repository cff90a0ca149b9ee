"""Growing trees: searches run through the scheduler with a journal, a progress bar, and a fixed order of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.errors import InputError
from mcts.journal import Journal
from mcts.panel import NOBODY, Panel
from mcts.ports import Checker, Policy, StepScorer
from mcts.scheduler import Scheduler
from mcts.tree import Flag, SearchTree
from mcts.walk import Query
from regrow.config import SchedulerConfig
from regrow.progress import console, track

JOURNAL_FILE = "journal.txt"


@dataclass(slots=True)
class Account:
    """What a policy's own count of its tokens lacks.

    Attributes:
        tokens_replayed: Generated before an earlier start was stopped, as its journal tells.
    """

    tokens_replayed: int = 0


def grow(
    queries: Sequence[Query],
    policy: Policy,
    scorer: StepScorer | None,
    limits: SchedulerConfig,
    *,
    checker: Checker | None,
    panel: Panel = NOBODY,
    scratch: Path,
    what: str,
    account: Account | None = None,
) -> list[SearchTree]:
    """Run all `queries`; return their trees in the order of the queries.

    Args:
        scratch: Folder of the journal. Called again after a crash, the search goes on where the journal ends.
        what: What the progress bar says.
        account: Is told what came from the journal.

    Raises:
        InputError: Every tree was given up.
    """
    path = scratch / JOURNAL_FILE
    path.touch()
    trees: dict[tuple[str, str], SearchTree] = {}
    accepted = 0
    failures: list[str] = []
    with path.open("r+b") as stream, track(what, len(queries)) as advance:
        journal = Journal(stream)
        scheduler = Scheduler(
            policy,
            scorer,
            panel=panel,
            checker=checker,
            max_depth=limits.max_depth,
            max_tokens=limits.max_tokens,
            trees_at_once=limits.trees_at_once,
            silence_s=limits.silence_s,
            journal=journal,
        )
        for tree in scheduler.run(queries):
            trees[tree.strategy, tree.problem.id] = tree
            accepted += bool((tree.flags & Flag.ACCEPTED).any())
            if tree.failure:
                failures.append(tree.failure)
            advance(len(trees), f"{accepted} solved" if checker else "")
    if account is not None:
        account.tokens_replayed += journal.tokens_replayed
    if failures:
        told = f"{len(failures)} of {len(trees)} trees were given up; the first: {failures[0]}"
        if len(failures) == len(trees):
            raise InputError(told)
        console.print(f"{what}: {told}")
    return [trees[query.search.name, query.problem.id] for query in queries]
