"""Where an export has its trees from: one trace store or several, read a row group at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mcts.errors import InputError
from mcts.seeds import seed_of
from regrow.trace_store import NODES_FILE, PROBLEMS_FILE, iter_trees
from regrow.verified import VerifiedTree


def stores(folder: Path) -> list[Path]:
    """The trace stores meant by `folder`: itself, or the traces of a run's rounds and what lies right in it, in order.

    Raises:
        InputError: There is none.
    """
    if (folder / PROBLEMS_FILE).is_file():
        return [folder]
    inside = {*folder.glob("round-*/traces"), *folder.glob("*")}
    if found := [path for path in inside if (path / PROBLEMS_FILE).is_file()]:
        return sorted(found, key=_in_order)
    raise InputError(
        f"traces={folder}: no trace store, expected a folder with {PROBLEMS_FILE} and {NODES_FILE}, or folders in it"
    )


def verified_trees(folders: Sequence[Path]) -> Iterator[VerifiedTree]:
    """The trees of all `folders` that anything was said of.

    Raises:
        InputError: There is none in a folder; or as `iter_trees` does.
    """
    for folder in folders:
        is_verified = False
        for verified in iter_trees(folder):
            if verified.gold or verified.outcomes:
                is_verified = True
                yield verified
        if not is_verified:
            raise InputError(f"traces={folder}: trees without verdicts, expected verified ones (round-N/traces)")


def one_a_problem(trees: Iterable[VerifiedTree]) -> Iterator[VerifiedTree]:
    """The first tree of each problem. What is remembered is a hash a problem."""
    seen: set[int] = set()
    for verified in trees:
        problem = verified.tree.problem
        if (key := seed_of(problem.id, problem.question)) not in seen:
            seen.add(key)
            yield verified


def written(folders: Iterable[Path]) -> float:
    """When the youngest of the stores was written, in seconds since 1970."""
    return max((folder / PROBLEMS_FILE).stat().st_mtime for folder in folders)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Round 10 comes after round 2."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"(\D*)(\d*)", str(path))]
