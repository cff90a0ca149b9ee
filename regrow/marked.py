"""Solutions whose steps others have judged: the files of ProcessBench and PRMBench."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from policy.rows import Row, read_rows


class Benchmark(StrEnum):
    """A form of file, and what is asked of a PRM there.

    * `process_bench`: which step of a solution is the first wrong one (arXiv 2412.06559).
    * `prm_bench`: which of its steps are wrong, by class of error (arXiv 2501.03124).
    """

    PROCESS_BENCH = "process_bench"
    PRM_BENCH = "prm_bench"


@dataclass(frozen=True, slots=True)
class MarkedSolution:
    """A solution with a judgement of its steps.

    Attributes:
        where: Names it in messages.
        steps: [K] texts.
        wrong: Ascending indices of the wrong steps; of ProcessBench's the first alone, as no later one is judged.
        kind: PRMBench's class of error; empty elsewhere.
    """

    where: str
    question: str
    steps: tuple[str, ...]
    wrong: tuple[int, ...]
    kind: str = ""


def read_marked(path: Path) -> tuple[Benchmark, list[MarkedSolution]]:
    """The solutions of a JSONL, JSON or parquet file, and which form it has.

    Raises:
        InputError: The file cannot be read, is empty, or has a row of neither form.
    """
    benchmark: Benchmark | None = None
    found: dict[tuple[str, str], MarkedSolution] = {}
    for row in read_rows(path):
        if benchmark is None:
            benchmark = _benchmark(row)
        if benchmark is Benchmark.PROCESS_BENCH:
            found[row.where, ""] = _process_bench(row)
        else:
            solution = _prm_bench(row)
            # As in the published evaluation: a class has a solution once.
            found.setdefault((solution.kind, str(row.named(("idx", "id"))[1] or row.where)), solution)
    if benchmark is None:
        raise InputError(f"{path}: no solutions, expected a row for each")
    return benchmark, list(found.values())


def _benchmark(row: Row) -> Benchmark:
    for benchmark, name in ((Benchmark.PROCESS_BENCH, "label"), (Benchmark.PRM_BENCH, "modified_process")):
        if name in row.fields:
            return benchmark
    raise row.error("neither label nor modified_process, expected a row of ProcessBench or PRMBench")


def _process_bench(row: Row) -> MarkedSolution:
    steps, label = _steps(row, "steps"), row.fields.get("label")
    if not isinstance(label, int) or isinstance(label, bool) or not -1 <= label < len(steps):
        raise row.error(f"label is {label!r}, expected -1 or the index of one of the {len(steps)} steps")
    return MarkedSolution(row.where, row.text("problem", "question"), steps, () if label == -1 else (label,))


def _prm_bench(row: Row) -> MarkedSolution:
    steps, told = _steps(row, "modified_process"), row.fields.get("error_steps")
    if not isinstance(told, list) or not all(isinstance(one, int) and 1 <= one <= len(steps) for one in told):
        raise row.error(f"error_steps is {told!r}, expected a list of numbers from 1 to {len(steps)}")
    unnumbered = tuple(_without_number(step, number) for number, step in enumerate(steps, start=1))
    wrong = tuple(sorted({one - 1 for one in told}))
    question = row.text("modified_question", "question")
    return MarkedSolution(row.where, question, unnumbered, wrong, row.text("classification"))


def _steps(row: Row, name: str) -> tuple[str, ...]:
    found: Any = row.fields.get(name)
    if not isinstance(found, list) or not found:
        told = "is empty" if found == [] else f"is a {type(found).__name__}" if found is not None else "is missing"
        raise row.error(f"{name} {told}, expected a list of texts")
    if bad := [i for i, step in enumerate(found) if not isinstance(step, str) or not step.strip()]:
        raise row.error(f"{name}[{bad[0]}] is {found[bad[0]]!r}, expected a text")
    return tuple(found)


def _without_number(step: str, number: int) -> str:
    """A step without the number that PRMBench's writers put before it; PRMs were trained on steps without."""
    return re.sub(rf"^\s*(?:step\s+)?{number}\s*[.:]\s+(?=\S)", "", step, flags=re.IGNORECASE)
