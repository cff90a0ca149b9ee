"""A fit in processes of its own, one for each device, started by a launcher such as `accelerate launch`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import policy
from mcts.errors import InputError
from policy import losses
from policy.examples import Example
from policy.lessons import Judged, Lesson, Pair
from policy.lora import Lora
from policy.losses import Loss
from policy.train import TrainPolicy, train

_JOB, _RESULT, _ERROR, _LOG = "job.json", "result.json", "error.txt", "log.txt"
_PROGRESS = "progress "


def launch(
    start: Path,
    lessons: Sequence[Lesson],
    out: Path,
    config: TrainPolicy,
    *,
    loss: Loss,
    validation: Sequence[Lesson],
    progress: Callable[[int, int, float], None] | None,
    **others: Any,
) -> dict[str, float]:
    """What `policy.train.train` does, with `config.launch` before the command that does it.

    Raises:
        InputError: What the fit raises, or the launcher cannot be started or fails.
    """
    job = {
        "start": start,
        "lessons": [_row(lesson) for lesson in lessons],
        "out": out,
        "config": asdict(replace(config, launch="")),
        "loss": _row(loss),
        "validation": [_row(lesson) for lesson in validation],
        **others,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _JOB).write_text(json.dumps(job, default=str), encoding="utf-8")
        with (folder / _LOG).open("w") as log:
            code = _run(config.launch, folder, log, progress)
        if (folder / _ERROR).exists():
            raise InputError((folder / _ERROR).read_text(encoding="utf-8"))
        if code or not (folder / _RESULT).exists():
            lines = (folder / _LOG).read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing said")
            raise InputError(f"launch {config.launch!r}: ended with {code} ({last}), expected a launcher of processes")
        result: dict[str, float] = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
        return result


def _run(launcher: str, folder: Path, log: Any, progress: Callable[[int, int, float], None] | None) -> int:
    """Run the job to its end, passing on its progress. Returns the launcher's exit status."""
    packages, programs = str(Path(policy.__file__).parents[1]), str(Path(sys.executable).parent)
    paths = {
        "PYTHONPATH": os.pathsep.join(filter(None, (packages, os.environ.get("PYTHONPATH")))),
        "PATH": os.pathsep.join((programs, os.environ.get("PATH", ""))),
    }
    try:
        process = subprocess.Popen(
            [*shlex.split(launcher), "-m", "policy.launched", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | paths,
            text=True,
        )
    except OSError as error:
        raise InputError(f"launch {launcher!r}: {error.strerror}, expected a launcher of processes") from error
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_PROGRESS) and progress is not None:
                step, steps, value = line.split()[1:]
                progress(int(step), int(steps), float(value))
    return process.returncode


def work(folder: Path) -> None:
    """Do the job in `folder`, as one of its processes."""
    _end_with_our_parent()
    is_first = os.environ.get("RANK", "0") == "0"
    job = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    config, row = job.pop("config"), job.pop("loss")
    paths = {key: job[key] and Path(job[key]) for key in ("start", "out", "reference", "scratch", "logs")}
    lessons = {key: [_lesson(one) for one in job[key]] for key in ("lessons", "validation")}
    try:
        result = train(
            **job | paths | lessons,
            config=TrainPolicy(**config | {"lora": Lora(**config["lora"])}),
            loss=getattr(losses, row.pop("kind"))(**row),
            progress=lambda *now: print(_PROGRESS, *now, flush=True),
        )
    except InputError as error:
        if is_first:
            (folder / _ERROR).write_text(str(error), encoding="utf-8")
        sys.exit(2)
    if is_first:
        (folder / _RESULT).write_text(json.dumps(result), encoding="utf-8")


def _end_with_our_parent() -> None:
    """Watch the pipe that it holds, and that closes however it dies: the processes it left would keep their devices."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _row(item: Any) -> dict[str, Any]:
    """A lesson or a loss as JSON."""
    return {"kind": type(item).__name__, **asdict(item)}


def _lesson(row: dict[str, Any]) -> Lesson:
    match row["kind"]:
        case "Pair":
            rewards = (tuple(row["chosen_rewards"]), tuple(row["rejected_rewards"]))
            return Pair(_example(row["chosen"]), _example(row["rejected"]), row["preference"], *rewards)
        case "Judged":
            return Judged(_example(row["example"]), row["is_good"])
        case _:
            return _example(row)


def _example(row: dict[str, Any]) -> Example:
    return Example(tuple(row["token_ids"]), tuple(row["loss_mask"]), row["weight"])


if __name__ == "__main__":
    work(Path(sys.argv[1]))
