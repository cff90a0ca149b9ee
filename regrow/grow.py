"""Growing trees: searches run through the scheduler with a journal, a progress bar, and a fixed order of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.errors import InputError
from mcts.journal import Journal
from mcts.tree import Flag, SearchTree
from mcts.walk import Query
from regrow.config import Config
from regrow.engines import Engines
from regrow.progress import console, track

JOURNAL_FILE = "journal.txt"


@dataclass(frozen=True, slots=True)
class Grown:
    """What was grown.

    Attributes:
        trees: In the order of the queries.
        policy: The policy's fingerprint.
        counted: Tokens generated since this start, by the policy's own count.
    """

    trees: list[SearchTree]
    policy: str
    counted: int


def grow(queries: Sequence[Query], engines: Engines, config: Config, *, scratch: Path, what: str) -> Grown:
    """Run all `queries`.

    Args:
        config: For `scheduler`.
        scratch: Folder of the journal. Called again after a crash, the search goes on where the journal ends.
        what: What the progress bar says.

    Raises:
        InputError: Every tree was given up, or a model cannot be loaded.
    """
    path = scratch / JOURNAL_FILE
    path.touch()
    trees: dict[tuple[str, str], SearchTree] = {}
    accepted = 0
    policy = engines.policy()
    before = policy.tokens_generated
    with path.open("r+b") as stream, track(what, len(queries)) as advance:
        for tree in engines.scheduler(config.scheduler, Journal(stream)).run(queries):
            trees[tree.strategy, tree.problem.id] = tree
            accepted += bool((tree.flags & Flag.ACCEPTED).any())
            advance(len(trees), f"{accepted} solved" if engines.checker else "")
    grown = [trees[query.search.name, query.problem.id] for query in queries]
    _tell_failures(grown, what)
    return Grown(grown, policy.fingerprint, policy.tokens_generated - before)


def _tell_failures(trees: Sequence[SearchTree], what: str) -> None:
    """Say how many trees were given up. Raises `InputError` where all were."""
    failures = [tree.failure for tree in trees if tree.failure]
    if failures:
        told = f"{len(failures)} of {len(trees)} trees were given up; the first: {failures[0]}"
        if len(failures) == len(trees):
            raise InputError(told)
        console.print(f"{what}: {told}")
