"""A PRM by itself: does it find the steps that others judged wrong? The door `regrow evaluate prm.bench=[FILE]`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError, first_line
from mcts.lane import POLL_S
from mcts.ports import StepScorer
from mcts.types import Problem, Score, State, Step, StepEnd, Ticket, Values
from regrow import atomic, base, provenance
from regrow.build import check_choices, scorer_of, task_of
from regrow.config import RECORDED, Config
from regrow.manifest import Run, open_run
from regrow.marked import Benchmark, MarkedSolution, read_marked
from regrow.prm_bench_report import Row, show, write_report
from regrow.progress import Advance, track
from regrow.record import MAY_DIFFER, recorded
from regrow.step_verdicts import (
    best_threshold,
    constant_values,
    counts_of,
    depth_values,
    figures_of,
    interval,
    shuffled_values,
)

VALUES = "values.json"
BATCH = 512
HALF = 0.5
ALL = "all"


@dataclass(frozen=True, slots=True)
class Valued:
    """A file, and what the PRM says of its steps.

    Attributes:
        values: Of the steps of each solution, each step's own.
    """

    path: Path
    benchmark: Benchmark
    solutions: list[MarkedSolution]
    values: list[Values]


def prm_bench(config: Config) -> None:
    """Measure the PRM on the files of `prm.bench`, and write a report into the run directory.

    Raises:
        InputError: A setting, a file or a row of it that cannot be used.
    """
    task = task_of(config)
    check_choices(config)
    if config.prm.engine == RECORDED:
        raise InputError("prm=recorded: knows recorded solutions only, expected prm=hf or prm=vllm beside prm.bench")
    with open_run(Path(config.run.dir), "evaluate", recorded(config), ignore=MAY_DIFFER) as run:
        files = [(Path(name), *read_marked(Path(name))) for name in config.prm.bench]
        policy = Path(config.policy.path) if config.policy.path else None
        prm = Path(config.prm.path or base.prm_zero(config, task, policy or base.base_policy(config, task)))
        scorer = cache(lambda: scorer_of(config, prm))
        threshold = config.prm.threshold
        if config.prm.threshold_from:
            path = Path(config.prm.threshold_from)
            tuned = _valued(run, prm, scorer, path, *read_marked(path))
            threshold = best_threshold(tuned.benchmark, tuned.solutions, tuned.values)
        rows = [row for file in files for row in _rows(_valued(run, prm, scorer, *file), threshold, config.seed)]
        rows += _means(rows)
        path = write_report(run, config, rows)
    if config.output == "json":
        print(path.read_text(encoding="utf-8"))
        return
    show(rows)
    print(f"report: {path}")


def _valued(
    run: Run,
    prm: Path,
    scorer: Callable[[], StepScorer],
    path: Path,
    benchmark: Benchmark,
    solutions: list[MarkedSolution],
) -> Valued:
    """The PRM's values for a file: a stage, so that they are asked for once."""
    digest = provenance.digest_file(path)

    def work(folder: Path) -> dict[str, Any]:
        with track(f"scoring {path.name}", len(solutions)) as advance:
            values = score(scorer(), solutions, advance)
        atomic.write_json(folder / VALUES, values)
        return {"solutions": len(values), "steps": sum(map(len, values))}

    inputs = {"file": digest, "prm": provenance.digest_dir(prm)}
    stage = run.stage(f"bench/{path.stem}-{digest[:8]}", inputs=inputs, work=work)
    read = json.loads((stage.folder / VALUES).read_text(encoding="utf-8"))
    return Valued(path, benchmark, solutions, [tuple(its) for its in read])


def score(scorer: StepScorer, solutions: Sequence[MarkedSolution], advance: Advance) -> list[Values]:
    """The scorer's value of each step, `BATCH` solutions at a time.

    Raises:
        InputError: The scorer cannot read a solution, or gives a value that is no number.
    """
    values: list[Values] = []
    for start in range(0, len(solutions), BATCH):
        batch = solutions[start : start + BATCH]
        for i, one in enumerate(batch, start):
            _submit(scorer, i, one)
        replies: dict[int, Values] = {}
        while len(replies) < len(batch):
            replies.update((ticket.number, its) for ticket, its in scorer.poll(POLL_S))
        for i, one in enumerate(batch, start):
            if any(map(isnan, replies[i])):
                raise InputError(f"{one.where}: the PRM gave nan, expected values from 0 to 1")
            values.append(replies[i][1:])
        advance(len(values))
    return values


def _submit(scorer: StepScorer, number: int, solution: MarkedSolution) -> None:
    ticket = Ticket("", number)
    try:
        scorer.submit(ticket, Score(_state(solution, solution.steps)))
    except ValueError:
        # Where a line break ends a step, one within a step is refused: it is shown as a space.
        try:
            scorer.submit(ticket, Score(_state(solution, [" ".join(step.splitlines()) for step in solution.steps])))
        except ValueError as error:
            raise InputError(f"{solution.where}: {first_line(error)}") from error


def _state(solution: MarkedSolution, texts: Sequence[str]) -> State:
    """The solution as a scorer sees it: problem and steps, without the judgement."""
    *others, last = texts
    steps = (*(Step(text) for text in others), Step(last, end=StepEnd.FINAL))
    return State(Problem(solution.where, solution.question), steps)


def _rows(file: Valued, threshold: float, seed: int) -> Iterator[Row]:
    """The PRM and what needs none, over the whole file and by class of error."""
    benchmark, solutions, values = file.benchmark, file.solutions, file.values
    told = {
        "prm": (values, threshold),
        "shuffled": (shuffled_values(values, seed), threshold),
        "depth only": (depth_values(benchmark, solutions, values), HALF),
        "constant": (constant_values(values), HALF),
    }
    kinds = np.asarray([one.kind for one in solutions])
    groups: dict[str, NDArray[np.bool_]] = {ALL: np.ones(len(solutions), np.bool_)}
    groups |= {kind: kinds == kind for kind in dict.fromkeys(kinds.tolist()) if kind}
    counts = {name: counts_of(benchmark, solutions, *pair) for name, pair in told.items()}
    for kind, members in groups.items():
        for name, (_, its_threshold) in told.items():
            its = counts[name][members]
            figures = {key: _known(value) for key, value in figures_of(benchmark, its.sum(axis=0)).items()}
            low, high = map(_known, interval(benchmark, its))
            score = figures.pop("score")
            yield Row(benchmark, file.path.stem, kind, name, len(its), its_threshold, figures, score, low, high)


def _means(rows: Sequence[Row]) -> Iterator[Row]:
    """The mean over ProcessBench's files, as it is reported for its four; none where there is one file."""
    wholes = [row for row in rows if row.benchmark is Benchmark.PROCESS_BENCH and row.score is not None]
    for name in dict.fromkeys(row.values for row in wholes):
        its = [row for row in wholes if row.values == name]
        if len(its) > 1:
            mean = float(np.mean([row.score for row in its]))
            count, threshold = sum(row.solutions for row in its), its[0].threshold
            yield Row(Benchmark.PROCESS_BENCH, "mean", ALL, name, count, threshold, {}, mean, None, None)


def _known(figure: Any) -> float | None:
    return None if np.isnan(figure) else float(figure)
