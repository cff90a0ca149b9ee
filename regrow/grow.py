"""Growing trees: searches run through the scheduler with a journal, a progress bar, and a fixed order of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.errors import InputError
from mcts.journal import Journal
from mcts.tree import Flag, SearchTree
from mcts.walk import Query
from regrow.build import dist_of
from regrow.config import Config
from regrow.dist.fleet import fleet_of
from regrow.dist.growing import Growing
from regrow.dist.parcel import unpack
from regrow.dist.records import JOURNAL_FILE, Records
from regrow.dist.settings import NONE
from regrow.dist.spread import Spread
from regrow.engines import Engines
from regrow.progress import Advance, console, track
from regrow.searches import name_of


@dataclass(frozen=True, slots=True)
class Grown:
    """What was grown.

    Attributes:
        trees: In the order of the queries.
        policy: The policy's fingerprint.
        counted: Tokens of all replies, by the policy's own count; of those from journals, by their records.
    """

    trees: list[SearchTree]
    policy: str
    counted: int


def grow(queries: Sequence[Query], engines: Engines, config: Config, *, scratch: Path, what: str) -> Grown:
    """Run all `queries`, here or spread over workers.

    Args:
        config: For `scheduler` and `dist`.
        scratch: Folder of the journals. Called again after a crash, the search goes on where they end.
        what: What the progress bar says.

    Raises:
        InputError: Every tree was given up, or a model cannot be loaded.
    """
    dist = dist_of(config)
    with track(what, len(queries)) as advance:
        grown = (_alone if dist.kind == NONE else _spread)(queries, engines, config, scratch, advance)
    failures = [tree.failure for tree in grown.trees if tree.failure]
    if failures:
        told = f"{len(failures)} of {len(grown.trees)} trees were given up; the first: {failures[0]}"
        if len(failures) == len(grown.trees):
            raise InputError(told)
        console.print(f"{what}: {told}")
    return grown


def _alone(queries: Sequence[Query], engines: Engines, config: Config, scratch: Path, advance: Advance) -> Grown:
    path = scratch / JOURNAL_FILE
    path.touch()
    trees: dict[str, SearchTree] = {}
    accepted = 0
    policy = engines.policy()
    before = policy.tokens_generated
    with path.open("r+b") as stream:
        journal = Journal(stream)
        of_workers = Records.of_workers(scratch)
        journal.admit(record for tree in of_workers for record in of_workers.of(tree))
        for tree in engines.scheduler(config.scheduler, journal).run(queries):
            trees[f"{tree.strategy}/{tree.problem.id}"] = tree
            accepted += bool((tree.flags & Flag.ACCEPTED).any())
            advance(len(trees), f"{accepted} solved" if engines.checker else "")
    counted = policy.tokens_generated - before + journal.tokens_replayed
    return Grown([trees[name_of(query)] for query in queries], policy.fingerprint, counted)


def _spread(queries: Sequence[Query], engines: Engines, config: Config, scratch: Path, advance: Advance) -> Grown:
    work = Growing(engines, config.scheduler, scratch)
    packed: dict[str, bytes] = {}
    accepted = counted = 0
    fingerprint = ""
    for report in Spread(fleet_of(dist_of(config)), work, queries).run():
        packed |= report.done
        accepted, counted = accepted + report.solved, counted + report.counted
        fingerprint = report.policy
        if report.trees:
            advance(len(packed), f"{accepted} solved" if engines.checker else "")
    return Grown([unpack(packed[name_of(query)]) for query in queries], fingerprint, counted)
