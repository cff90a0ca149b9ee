"""The figures of `docs/alphallm.md`, read from finished runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from alphallm_noise import noisy_prms
from alphallm_plan import ARMS, LADDER, MORE, REFERENCES, ROLLOUTS, ROUNDS, name_of
from learning_figures import report_of, scores_of
from numpy.typing import NDArray

from regrow.imagine.imagined import read_imagined
from regrow.standings import bootstrap_interval
from regrow.tasks.arithmetic import Arithmetic
from regrow.tasks.arithmetic_backward import told_story
from regrow.tasks.arithmetic_paraphrases import PARAPHRASED
from regrow.tasks.arithmetic_templates import read
from regrow.tasks.task import Split

OPERATIONS = (3, 4, 5)
HELD_OUT = 2000
"""Problems of test and validation, each, that imagined ones are held against: more than any run takes."""

Correct = NDArray[np.float64]
"""[seeds, problems] 1 where the answer was right."""


def ladder_figures(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Accuracy of each rung at each number of rollouts, over the rung before it and over the references."""
    strategies = {name: name_of(name) for name in (*LADDER, *REFERENCES)}
    marks = [("rungs", 0, ROLLOUTS // 2), ("rungs", 1, ROLLOUTS), ("more", 0, MORE)]
    rows = []
    for contest, b, rollouts in marks:
        found: dict[str, Correct] = {}
        for name, strategy in strategies.items():
            files = [folder / f"{contest}-{seed}/contest/{strategy}-{seed}/scores.json" for seed in seeds]
            if not all(file.exists() for file in files):
                continue
            read_files = [json.loads(file.read_text()) for file in files]
            found[name] = np.array([one["correct"][b] for one in read_files], np.float64)
            before = _before(name, list(found))
            rows.append(
                {
                    "rung": name,
                    "rollouts": rollouts,
                    "tokens": fmean(fmean(one["tokens"][b]) for one in read_files),
                    **_accuracy(found[name]),
                    "over": before,
                    "difference": _difference(found[name], found[before]) if before else None,
                }
            )
    return {"rows": rows}


def _before(name: str, found: Sequence[str]) -> str | None:
    """The rung below; references are held against the highest rung that there is."""
    rungs = [one for one in found if one in LADDER]
    if name in LADDER:
        return rungs[-2] if len(rungs) > 1 else None
    return rungs[-1] if rungs else None


def rounds_figures(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Accuracy of each arm after each round, over the one with labels, and what it learned from."""
    rows = []
    arms = {arm: [folder / f"{arm.replace(' ', '-')}-{seed}" for seed in seeds] for arm in ARMS}
    arms = {arm: folders for arm, folders in arms.items() if all(report_of(one) for one in folders)}
    for number in range(ROUNDS + 1):
        for arm, folders in arms.items():
            row: dict[str, Any] = {"arm": arm, "round": number}
            for name in ("greedy", "sample", "search", "best_of_n"):
                correct = np.array([scores_of(one, number)[name] for one in folders], np.float64)
                row[name] = _accuracy(correct)
                if arm != "labels":
                    labelled = np.array([scores_of(one, number)[name] for one in arms["labels"]], np.float64)
                    row[name]["over_labels"] = _difference(correct, labelled)
            reports = [report_of(one) for one in folders]
            row["tokens"] = fmean(report["rounds"][number]["tokens_generated"] for report in reports if report)
            rows.append(row)
    return {"rows": rows}


def noise_figures(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """What PRMs know that were trained on flipped labels, with and without peers, of the same traces as the critics."""
    runs = folder.parent / "ladder"
    return {"rows": [row for seed in seeds for row in noisy_prms(runs / f"critics-{seed}", folder, seed)]}


def imagined_figures(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """What became of what the policy was asked for, and the exact truth about what was kept.

    A problem is valid if the task can read and solve it, and leaks if its computation is that of a test problem, or of
    one that gates compare models on.
    """
    task = Arithmetic(operations=OPERATIONS, synthesis=True)
    held_out = {
        _key(graded.problem.question)
        for split in (Split.TEST, Split.VALIDATION)
        for graded in task.problems(split, HELD_OUT, seed=0)
    }
    ways: dict[str, Counter[str]] = {}
    for seed in seeds:
        made = folder / f"imagined-{seed}/imagined"
        for way, counts in json.loads((made / "stage.json").read_text())["result"]["ways"].items():
            ways.setdefault(way, Counter()).update(counts)
        for one in read_imagined(made):
            ways[one.way]["valid"] += task.solution(one.question) is not None
            ways[one.way]["leaks"] += _key(one.question) in held_out
    return {"ways": ways}


def _key(question: str) -> str:
    """The computation that a question asks for; of a backward one that which its story tells."""
    told = told_story(question, PARAPHRASED) or read(question, PARAPHRASED)
    return told.key if told else question


def _accuracy(correct: Correct) -> dict[str, Any]:
    """The mean over problems and seeds, its interval over problems, and each seed's."""
    low, high = bootstrap_interval(correct.mean(axis=0))
    return {
        "accuracy": float(correct.mean()),
        "low": low,
        "high": high,
        "by_seed": correct.mean(axis=1).tolist(),
    }


def _difference(one: Correct, other: Correct) -> dict[str, Any]:
    """The paired difference over problems, the mean over seeds."""
    apart = (one - other).mean(axis=0)
    low, high = bootstrap_interval(apart)
    return {"mean": float(apart.mean()), "low": low, "high": high, "by_seed": (one - other).mean(axis=1).tolist()}
