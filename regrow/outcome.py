"""What became of a run, as its folder tells: finished, failed or not finished yet, and its figures. Loads no model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mcts.errors import InputError

REPORT, MANIFEST, OVERRIDES = "report.json", "manifest.json", ".hydra/overrides.yaml"
FAILED = "failed.json"
"""Why a run of a sweep failed, beside what it has done; gone as soon as the run is tried again."""


class Status(StrEnum):
    """How far a run has come."""

    FINISHED = "finished"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Measured:
    """A share of correct answers or the like, with its 95 % interval where the report has one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, read from its folder.

    Attributes:
        why: What a failed run ended with, or how far an unfinished one is; empty for others.
        overrides: Key -> value as it was given on the command line.
        report: Of the run as far as it has come; empty where there is none.
        config: The recorded settings, nested; empty where the run failed before it had any.
        figures: Name -> figure: of the last round, or `STRATEGY@BUDGET` of a contest, or the file of a PRM benchmark.
        tokens: Generated to learn from, by gates, too; where nothing was learned, what the evaluation generated.
        seconds: Wall-clock of all stages that are done.
    """

    folder: Path
    status: Status
    why: str
    overrides: Mapping[str, str]
    report: Mapping[str, Any]
    config: Mapping[str, Any]
    figures: Mapping[str, Measured]
    tokens: int
    seconds: float


def run_folders(root: Path) -> Iterator[Path]:
    """The runs at or beneath `root`, in alphabetical order; nothing is looked for inside a run."""
    for name, below, _ in os.walk(root):
        folder = Path(name)
        if any((folder / one).exists() for one in (MANIFEST, REPORT, FAILED, OVERRIDES)):
            below.clear()
            yield folder
        below[:] = sorted(one for one in below if not one.startswith("."))


def read_outcome(folder: Path) -> Outcome:
    """The run in `folder`.

    Raises:
        InputError: A file of it cannot be read.
    """
    report = read_object(folder / REPORT)
    report = report if "config" in report else {}
    config = report.get("config") or read_object(folder / MANIFEST).get("config", {})
    status, why = _status(folder, report)
    return Outcome(
        folder,
        status,
        why,
        _overrides(folder),
        report,
        config,
        _figures(report),
        _tokens(report),
        _seconds(folder),
    )


def _status(folder: Path, report: Mapping[str, Any]) -> tuple[Status, str]:
    """How far it has come, and why no farther."""
    asked = report["config"]["round"]["count"] if report.get("command") == "train" else 0
    left = asked + 1 - len(report["rounds"]) if "rounds" in report else 0
    if report and left <= 0:
        return Status.FINISHED, ""
    if failed := read_object(folder / FAILED):
        return Status.FAILED, failed["error"]
    return Status.UNFINISHED, f"{left} of {asked} rounds to go" if report else ""


def _figures(report: Mapping[str, Any]) -> dict[str, Measured]:
    if "standings" in report:
        rows = {f"{one['strategy']}@{one['budget']}": (one["accuracy"], one) for one in report["standings"]}
    elif "rows" in report:
        whole = [one for one in report["rows"] if (one["values"], one["kind"]) == ("prm", "all")]
        rows = {one["file"]: (one["score"], one) for one in whole}
    elif report.get("rounds"):
        last = report["rounds"][-1]
        rows = {name: (one["accuracy"], one) for name, one in last["eval"].items()}
        rows["auroc"] = ((last["prm_eval"] or {}).get("auroc"), {})
    else:
        return {}
    return {
        name: Measured(float(value), one.get("low"), one.get("high"))
        for name, (value, one) in rows.items()
        if value is not None
    }


def _tokens(report: Mapping[str, Any]) -> int:
    if "accounts" in report:
        return sum(int(one["tokens_generated"]) for one in report["accounts"])
    rounds = report.get("rounds", ())
    if len(rounds) == 1:
        return int(sum(row["tokens_per_problem"] * row["n"] for row in rounds[0]["eval"].values()) + 0.5)
    parts = [part for done in rounds for part in (done, *done["controls"].values())]
    return sum(int(part["tokens_generated"] + part["gate_tokens"]) for part in parts)


def _seconds(folder: Path) -> float:
    return sum(float(read_object(path).get("seconds", 0.0)) for path in folder.glob("*/**/stage.json"))


def _overrides(folder: Path) -> dict[str, str]:
    """Of Hydra's own record, which the first start of a run leaves."""
    path = folder / OVERRIDES
    try:
        words = [str(word) for word in OmegaConf.load(path)] if path.exists() else []
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read, expected a list of overrides") from error
    return {key.lstrip("+~"): value for key, _, value in (word.partition("=") for word in words)}


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON, expected what a run leaves") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object, expected what a run leaves")
    return found
