"""Trees of trace stores, by problem: a problem that several stores have is shown with the tree of each."""

from __future__ import annotations

import re
from pathlib import Path

from mcts.errors import InputError
from regrow.export.source import stores
from regrow.trace_store import iter_trees
from regrow.view.tree_data import Data, problem_data, tree_data


def stored_problems(traces: Path, problem: str | None, count: int) -> list[Data]:
    """The first `count` problems of the stores meant by `traces` (see `stores`), or the one called `problem`.

    Raises:
        InputError: There is no store, it is broken, or has no such problem.
    """
    found: dict[tuple[str, str], Data] = {}
    folders = stores(traces)
    for folder in folders:
        for verified in iter_trees(folder):
            it = verified.tree.problem
            key = (it.id, it.question)
            if key not in found and (len(found) == count or problem not in (None, it.id)):
                if len(folders) == 1 and len(found) == count:
                    break
                continue
            shown = found.setdefault(key, problem_data(it.id, it.question, verified.gold, []))
            shown["trees"].append(tree_data(verified, round_of(folder)))
    if not found:
        raise InputError(f"traces={traces}: no tree" + (f" of problem={problem}" if problem else ""))
    return list(found.values())


def round_of(folder: Path) -> str:
    """The round that a folder of a run belongs to, in words; the folder's name where it belongs to none."""
    numbers = [part for part in folder.absolute().parts if re.fullmatch(r"round-\d+", part)]
    return numbers[-1].replace("-", " ") if numbers else folder.name
