"""Sweeps: folders named by overrides, runs that fail alone, and what a second start does."""

import csv
import json
import os
import re
import shutil
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

from mcts.errors import InputError
from regrow.cli import FAILED, INTERRUPTED, UNUSABLE, main
from regrow.outcome import Status, read_outcome, run_folders
from regrow.sweep import LONGEST_NAME, figure_of, run_folder

PATIENCE = 300
"""Seconds."""
VOTES = [
    "task=file",
    "policy=recorded",
    "prm=recorded",
    "policy.recorded.path=samples.jsonl",
    "strategies=[self_consistency]",
    "evaluate.unit=simulations",
    "budgets=[3]",
    "run.dir=votes",
]
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


@pytest.fixture
def votes(tmp_path, monkeypatch):
    """A folder with problems, solutions to vote among, and problems that nobody writes: who reads those waits."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(i), "problem": f"What is {i}+1?", "answer": str(i + 1)} for i in range(4)]
    samples = [
        {"id": str(i), "completions": [f"The answer is \\boxed{{{i + right}}}" for right in (1, 1, i)]}
        for i in range(4)
    ]
    for name, lines in (("fine", rows), ("samples", samples)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.mkfifo("waits.jsonl")


def test_runs_fail_alone_and_a_second_start_does_only_what_is_missing(votes, capfd):
    sweep = ["evaluate", "-m", *VOTES, "problems=waits.jsonl,absent.jsonl,fine.jsonl"]
    killer = threading.Thread(target=kill, args=("problems-waits*",), daemon=True)
    killer.start()
    assert main(sweep) == FAILED
    killer.join(timeout=60)
    killed, broken, fine = (only(f"problems-{name}.jsonl*") for name in ("waits", "absent", "fine"))
    outcomes = [read_outcome(folder) for folder in (killed, broken, fine)]
    assert [one.status for one in outcomes] == [Status.FAILED, Status.FAILED, Status.FINISHED]
    assert outcomes[0].why == "killed by SIGKILL"
    assert outcomes[1].why.startswith("problems=absent.jsonl: cannot be read")
    said = capfd.readouterr().err.strip()
    assert said.count("\n") == 0
    assert said.startswith("regrow: 2 of 3 runs failed: ")
    assert "alone: regrow evaluate problems=absent.jsonl task=file policy=recorded prm=recorded" in said

    before = [(fine / name).stat().st_mtime_ns for name in ("report.json", "run.log")]
    Path("waits.jsonl").unlink()
    shutil.copy("fine.jsonl", "waits.jsonl")
    assert main(sweep) == FAILED
    assert [(fine / name).stat().st_mtime_ns for name in ("report.json", "run.log")] == before
    assert read_outcome(killed).status is Status.FINISHED
    said = capfd.readouterr()
    assert f"{fine}: was finished" in said.out
    assert said.err.startswith("regrow: 1 of 3 runs failed: ")

    assert main(["table", "votes-sweep", "out=table.csv"]) == 0
    rows = {row["problems"]: row for row in csv.DictReader(Path("table.csv").read_text().splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "absent.jsonl": "failed",
        "fine.jsonl": "finished",
        "waits.jsonl": "finished",
    }
    assert float(rows["fine.jsonl"]["self_consistency@3"]) == 1.0
    assert figure_of(read_outcome(fine), "self_consistency@3") == 1.0
    assert "task" not in rows["fine.jsonl"]


def test_ctrl_c_stops_the_whole_sweep_and_leaves_no_process(votes):
    sweep = ["evaluate", "-m", *VOTES, "problems=waits.jsonl,fine.jsonl"]
    process = subprocess.Popen([sys.executable, "-m", "regrow.cli", *sweep], stderr=subprocess.PIPE, text=True)
    began = holder("problems-waits*")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == INTERRUPTED
    assert "To go on: regrow evaluate -m" in said
    with pytest.raises(ProcessLookupError):
        os.kill(began, 0)
    (first,) = run_folders(Path("votes-sweep"))
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


def holder(pattern: str) -> int:
    """The process that holds a run's folder, as soon as there is one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for lock in Path("votes-sweep").glob(f"{pattern}/.lock"):
            if (process := lock.read_text().strip()) and (lock.parent / "manifest.json").exists():
                return int(process)
        time.sleep(0.01)
    raise TimeoutError(pattern)


def kill(pattern: str) -> None:
    os.kill(holder(pattern), signal.SIGKILL)


def only(pattern: str) -> Path:
    (found,) = Path("votes-sweep").glob(pattern)
    return found
