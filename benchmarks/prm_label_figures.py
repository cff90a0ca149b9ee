"""PRMs of every kind of label from the traces of one run, and how well they know the exact truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from learning_figures import report_of

from mcts.aggregate import Aggregate
from prm import model as prm_model
from prm.calibrating import calibrate
from prm.labels import LabelledState, apart
from prm.scorer import HfScorer
from prm.train import TrainPrm
from regrow import atomic
from regrow.base import activation_of
from regrow.build import predicts_progress
from regrow.config import PrmConfig
from regrow.prm_evaluation import prm_quality
from regrow.prm_training import train_prm
from regrow.selection import exactly_labelled, prm_states
from regrow.standings import bootstrap_interval
from regrow.tasks import make_task
from regrow.tasks.task import GradedProblem, Split
from regrow.trace_store import read_trees
from regrow.verified import VerifiedTree

HELD_OUT = 0.05
"""Share of the problems that no PRM is trained on: what calibrations are fitted to."""

REFERENCE = "hard"
"""The kind that the others are held against."""


@dataclass(frozen=True)
class Kind:
    """A way to make a PRM of traces.

    Attributes:
        prm: Labels, loss, weights, balance.
        is_exact: Trained on the truth about the same steps.
        calibrates: The kind whose PRM it is, with values made to hold; nothing is trained.
    """

    prm: PrmConfig = field(default_factory=PrmConfig)
    is_exact: bool = False
    calibrates: str | None = None


KINDS = {
    "value": Kind(PrmConfig(labels="progress")),
    "hard": Kind(PrmConfig(labels="hard")),
    "soft": Kind(PrmConfig(labels="soft")),
    "soft, by visits": Kind(PrmConfig(labels="soft", weights="visits")),
    "outcome": Kind(PrmConfig(labels="outcome")),
    "pairwise": Kind(PrmConfig(labels="soft", loss="pairwise")),
    "hard, calibrated": Kind(PrmConfig(labels="hard"), calibrates="hard"),
    "pairwise, calibrated": Kind(PrmConfig(labels="soft", loss="pairwise"), calibrates="pairwise"),
    "exact": Kind(PrmConfig(labels="soft"), is_exact=True),
    "exact value": Kind(PrmConfig(labels="progress"), is_exact=True),
}
"""What is compared; what calibrates another stands behind it."""


def folder_of(name: str) -> str:
    """A kind's name as that of a folder."""
    return name.replace(", ", "-").replace(" ", "-")


class Traces:
    """What a finished run offers: its traces, its first policy, and solutions of held-out problems with their truth."""

    def __init__(self, run: Path) -> None:
        report = report_of(run)
        if report is None:
            raise SystemExit(f"{run}: no finished `regrow train`, expected one")
        self.run, self.config, self.commit = run, report["config"], report["commit"]
        self.rounds = int(self.config["round"]["count"])
        self.task = make_task(self.config["task"]["name"], **self.config["task"]["options"])

    @cached_property
    def trees(self) -> list[VerifiedTree]:
        """The verified trees of all rounds."""
        return [tree for k in range(1, self.rounds + 1) for tree in read_trees(self.run / f"round-{k}/traces")]

    def states(self, kind: Kind) -> list[LabelledState]:
        """What a kind learns from, on the problems that are not held out."""
        several = int(self.config["prm"]["states_per_problem"])
        prm = kind.prm
        states = prm_states(self.trees, prm.labels, per_problem=several, seed=0, weights=prm.weights)
        kept, _ = apart(states, HELD_OUT)
        if not kind.is_exact:
            return kept
        problems = [GradedProblem(verified.tree.problem, verified.gold) for verified in self.trees]
        return exactly_labelled(kept, self.task, problems, prm.labels)

    def held_out(self, kind: Kind) -> list[LabelledState]:
        """What a kind is calibrated on."""
        several = int(self.config["prm"]["states_per_problem"])
        return apart(prm_states(self.trees, kind.prm.labels, per_problem=several, seed=0), HELD_OUT)[1]

    def aggregate(self, kind: Kind) -> Aggregate:
        """How values are read: as in the run, but for an outcome model, which tells of the last step alone."""
        return Aggregate.LAST if kind.prm.labels == "outcome" else Aggregate(self.config["prm"]["aggregate"])

    def quality(self, kind: Kind, prm: Path) -> dict[str, Any]:
        """AUROC by depth and Brier skill about what the first policy drew for the held-out test problems.

        `skill_of_success` is against whether a correct answer is in reach, `skill_of_progress` against the exact v*.
        """
        evaluate = self.config["evaluate"]
        problems = self.task.problems(Split(evaluate["split"]), evaluate["problems"], seed=0)
        trees = [verified.tree for verified in read_trees(self.run / "round-0/evaluate/samples")]
        scorer, aggregate = HfScorer.load(prm), self.aggregate(kind)
        found = {}
        for target in ("success", "progress"):
            quality = prm_quality(scorer, aggregate, self.task, problems, trees, target)
            if quality is None:
                raise SystemExit(f"{self.run}: the task knows no truth about steps, expected countdown or arithmetic")
            found |= {**quality, f"skill_of_{target}": quality["brier_skill"]}
        return found | {"predicts": "progress" if predicts_progress(kind.prm) else "success"}


def make_prms(traces: Traces, out: Path, kinds: Sequence[str], seed: int, steps: int) -> Iterator[tuple[str, Path]]:
    """Train the PRM of each kind, from one fresh head on the run's first policy; those that lie there are kept."""
    for name in kinds:
        kind, target = KINDS[name], out / folder_of(name)
        if not target.exists():
            with atomic.directory(target) as folder:
                result = _made(traces, kind, out, folder, seed, steps)
                atomic.write_json(folder / "training.json", result)
        yield name, target


def _made(traces: Traces, kind: Kind, out: Path, folder: Path, seed: int, steps: int) -> dict[str, float]:
    prm = folder / "prm"
    if kind.calibrates:
        source = out / folder_of(kind.calibrates)
        shutil.copytree(source / "prm", prm)
        trained: dict[str, float] = json.loads((source / "training.json").read_text())
        return trained | {"calibrated_on": float(calibrate(prm, traces.held_out(kind), "isotonic"))}
    start, activation = folder / "start", activation_of(kind.prm)
    prm_model.create(traces.run / "round-0/policy", start, activation=activation, seed=seed)
    result = train_prm(kind.prm, start, traces.states(kind), prm, TrainPrm(max_steps=steps), seed=seed)
    shutil.rmtree(start)
    return result


def accuracies(contests: Mapping[str, Sequence[Path]]) -> list[dict[str, Any]]:
    """One row a kind, strategy and budget: accuracy of each seed, and the paired difference to the reference kind.

    Problems are the same for all, and so are the seeds of the searches: the interval is a bootstrap over problems of
    the mean over seeds.

    Args:
        contests: Kind -> the run of each seed.
    """
    over = REFERENCE if REFERENCE in contests else next(iter(contests))
    found = {name: [_held(run) for run in runs] for name, runs in contests.items()}
    rows = []
    for name, held in found.items():
        for key in held[0]:
            ours, theirs = (np.array([one[key][0] for one in found[kind]]) for kind in (name, over))
            paired = ours.mean(axis=0) - theirs.mean(axis=0)
            low, high = bootstrap_interval(paired)
            rows.append(
                {
                    "kind": name,
                    "strategy": key[0],
                    "budget": key[1],
                    "tokens": float(np.mean([one[key][1] for one in held])),
                    "accuracy": [float(mean) for mean in ours.mean(axis=1)],
                    "over": over,
                    "difference": float(paired.mean()),
                    "low": low,
                    "high": high,
                }
            )
    return rows


def _held(run: Path) -> dict[tuple[str, int], tuple[list[float], float]]:
    """(strategy, budget) of a contest with one seed -> [problems] which answers were right, and tokens a problem."""
    report = json.loads((run / "report.json").read_text())
    budgets = sorted({one["budget"] for one in report["standings"]})
    found = {}
    for one in report["standings"]:
        scores = json.loads((run / f"contest/{one['strategy']}-{report['seed']}/scores.json").read_text())
        correct: list[float] = scores["correct"][budgets.index(one["budget"])]
        found[one["strategy"], one["budget"]] = (correct, float(one["tokens"]))
    return found
