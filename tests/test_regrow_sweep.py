"""Sweeps: folders named by overrides, runs that fail alone, and what a second start does."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ValueType
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import TINY

from mcts.errors import InputError
from regrow.cli import FAILED, INTERRUPTED, UNUSABLE, main
from regrow.outcome import Status, read_outcome, run_folders
from regrow.sweep import LONGEST_NAME, figure_of, run_folder

FIXED = [one for one in TINY if not one.startswith(("evaluate.samples", "task."))]
NUMBERS = "task.options.numbers=[2,3]"
WORDS = st.lists(
    st.tuples(st.sampled_from(["seed", "search.c", "+a.b", "policy.path", "x"]), st.text(max_size=60)).map("=".join),
    max_size=6,
)


@given(WORDS, WORDS)
def test_different_overrides_have_different_folders_which_are_plain_words(some, others):
    names = [run_folder(words) for words in (some, others)]
    told = [[word.lstrip("+") for word in words] for words in (some, others)]
    assert (names[0].lower() == names[1].lower()) == (told[0] == told[1])
    for name in names:
        assert len(name) <= LONGEST_NAME
        assert re.fullmatch(r"[\w.+-]+", name, re.ASCII)
        assert not name.startswith(("-", "."))
        parsed = OverridesParser.create().parse_override(f"policy.path=runs/demo-sweep/{name}/round-1/policy")
        assert parsed.value_type is ValueType.ELEMENT
        assert parsed.value() == f"runs/demo-sweep/{name}/round-1/policy"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["search.c=0.3", "round.count=2"], "search.c-0.3+round.count-2"),
        (["seed=-1", "run.dir=runs/x", "run.name=x", "cache=c", "output=json"], "seed--1"),
        (["run.name=demo"], "as-configured"),
        (["task.options.numbers=[2,3]"], "task.options.numbers-2-3-b2015894"),
    ],
)
def test_a_folder_says_what_was_set(overrides, name):
    assert run_folder(overrides) == name


def test_runs_fail_alone_and_a_second_start_does_only_what_is_missing(tmp_path, cache, capfd):
    run = [f"run.dir={tmp_path / 'x'}", f"cache={cache}"]
    sweep = ["evaluate", "-m", "evaluate.samples=2,0,3", "seed=1", *run, *FIXED, NUMBERS]
    killer = threading.Thread(target=kill, args=(tmp_path / "x-sweep", "evaluate.samples-3*"), daemon=True)
    killer.start()
    assert main(sweep) == FAILED
    killer.join(timeout=60)
    fine, broken, killed = (only(tmp_path / "x-sweep", f"evaluate.samples-{samples}*") for samples in (2, 0, 3))
    outcomes = [read_outcome(folder) for folder in (fine, broken, killed)]
    assert [one.status for one in outcomes] == [Status.FINISHED, Status.FAILED, Status.FAILED]
    assert "evaluate.samples=0: expected at least 1" in outcomes[1].why
    assert outcomes[2].why == "killed by SIGKILL"
    said = capfd.readouterr().err.strip()
    assert said.count("\n") == 0
    assert said.startswith("regrow: 2 of 3 runs failed: ")
    assert "alone: regrow evaluate evaluate.samples=0 seed=1" in said

    before = (fine / "report.json").stat().st_mtime_ns, (fine / "run.log").stat().st_mtime_ns
    assert main(sweep) == FAILED
    assert ((fine / "report.json").stat().st_mtime_ns, (fine / "run.log").stat().st_mtime_ns) == before
    assert read_outcome(killed).status is Status.FINISHED
    said = capfd.readouterr()
    assert f"{fine}: was finished" in said.out
    assert said.err.startswith("regrow: 1 of 3 runs failed: ")

    assert main(["table", str(tmp_path), f"out={tmp_path / 'table.csv'}"]) == 0
    rows = {row["evaluate.samples"]: row for row in csv.DictReader((tmp_path / "table.csv").open())}
    assert {samples: row["status"] for samples, row in rows.items()} == {
        "2": "finished",
        "0": "failed",
        "3": "finished",
    }
    assert float(rows["3"]["search"]) == figure_of(read_outcome(killed), "search")
    assert "seed" not in rows["2"]


def test_ctrl_c_stops_the_whole_sweep_and_leaves_no_process(tmp_path, cache):
    sweep = ["evaluate", "-m", "evaluate.samples=2,3", f"run.dir={tmp_path / 'x'}", f"cache={cache}", *FIXED, NUMBERS]
    process = subprocess.Popen([sys.executable, "-m", "regrow.cli", *sweep], stderr=subprocess.PIPE, text=True)
    began = holder(tmp_path / "x-sweep", "evaluate.samples-2*")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "To go on: regrow evaluate -m" in said
    with pytest.raises(ProcessLookupError):
        os.kill(began, 0)
    (first,) = run_folders(tmp_path / "x-sweep")
    assert read_outcome(first).status is Status.UNFINISHED


def test_a_sweep_that_cannot_be_composed_does_nothing(tmp_path, capsys):
    assert main(["train", "-m", "seed=1,x", f"run.dir={tmp_path / 'x'}"]) == UNUSABLE
    assert "seed" in capsys.readouterr().err
    assert not list(run_folders(tmp_path))


def test_only_commands_with_a_report_are_swept(capsys):
    assert main(["search", "-m", "2 3 -> 5", "seed=1,2"]) == UNUSABLE
    assert capsys.readouterr().err == (
        "regrow: `regrow search` takes no -m, expected a command that leaves a report: train, evaluate\n"
    )


def test_a_figure_that_a_run_does_not_have_is_named(tmp_path):
    with pytest.raises(InputError, match=r"sweep\.figure=luck: expected one of"):
        figure_of(read_outcome(tmp_path), "luck")


def holder(sweep: Path, pattern: str) -> int:
    """The process that holds a run's folder, as soon as there is one."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for lock in sweep.glob(f"{pattern}/.lock"):
            if (process := lock.read_text().strip()) and (lock.parent / "manifest.json").exists():
                return int(process)
        time.sleep(0.01)
    raise TimeoutError(pattern)


def kill(sweep: Path, pattern: str) -> None:
    os.kill(holder(sweep, pattern), signal.SIGKILL)


def only(sweep: Path, pattern: str) -> Path:
    (found,) = sweep.glob(pattern)
    return found
