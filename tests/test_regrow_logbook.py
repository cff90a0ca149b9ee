"""Loggers of rounds: what they are told, when, and what is said where their package is missing. No network."""

import importlib.util
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from mcts.errors import InputError
from regrow import logbook
from regrow.alarms import Reading
from regrow.cli import UNUSABLE, main
from regrow.comparison import Comparison
from regrow.config import LogConfig
from regrow.gate import Verdict
from regrow.logbook import figures_of, loggers_of, open_logbook
from regrow.report import Control, Round, eval_row

TEST = Comparison("policy", "old", -0.25, -0.5, -0.125, 0.01, 8)


def a_round(number):
    rows = {"greedy": eval_row("greedy", "none", 9.0, [1.0, 0.0]), "search": eval_row("puct", "checker", 90.0, [1.0])}
    control = Control("controls/rest_em/round-1/policy", 70, {}, {"greedy": rows["search"]}, 7, ())
    return Round(
        round=number,
        policy="p",
        prm="q",
        tokens_generated=100,
        seconds={"search": 2.5},
        eval=rows,
        prm_eval=None,
        prm_exact_eval=None,
        controls={"rest_em": control},
        comparisons=(),
        gate_tokens=10,
        verdicts=(Verdict("policy", is_kept=False, test=TEST, new=0.25, old=0.5), Verdict("prm", True, None)),
        alarms=(Reading("length", 9.0, 1.5, 1.5, rang=False), Reading("gap", None, None, 0.1, rang=False)),
    )


def test_a_rounds_figures_are_flat_and_leave_out_what_is_not_known():
    assert figures_of(a_round(1)) == {
        "accuracy/greedy": 0.5,
        "accuracy/search": 1.0,
        "rest_em/accuracy/greedy": 1.0,
        "alarms/length": 1.5,
        "gate/policy": -0.25,
        "gate/policy_is_kept": 0.0,
        "gate/prm_is_kept": 1.0,
        "tokens/generated": 100.0,
        "tokens/gate": 10.0,
        "seconds/search": 2.5,
    }


def test_every_round_is_written_once(monkeypatch, tmp_path):
    told = []

    @contextmanager
    def recorder(folder, settings):
        yield lambda number, figures: told.append((folder, number, figures["accuracy/greedy"]))

    monkeypatch.setitem(logbook.OPENED, "tensorboard", recorder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))
    with open_logbook(LogConfig(tensorboard=True), tmp_path, {}) as log:
        log([a_round(0)])
        log([a_round(0), a_round(1)])
    assert told == [(tmp_path / "logs", 0, 0.5), (tmp_path / "logs", 1, 0.5)]


def test_nothing_is_written_unless_it_is_asked_for(tmp_path):
    assert loggers_of(LogConfig()) == ()
    with open_logbook(LogConfig(), tmp_path, {}) as log:
        log([a_round(0)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_told_in_one_line_before_anything_is_done(name, tmp_path, capsys):
    if importlib.util.find_spec(name):
        pytest.skip(f"{name} is installed")
    with pytest.raises(InputError, match=name):
        loggers_of(LogConfig(**{name: True}))
    assert main(["train", f"log.{name}=true", f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    said = capsys.readouterr().err
    assert said == f"regrow: log.{name}=true: {name} is not installed, expected `pip install 'regrow[log]'`\n"
    assert not (tmp_path / "run/manifest.json").exists()


def test_tensorboard_has_a_point_a_round_and_a_later_start_purges_what_an_earlier_one_wrote(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for rounds in ([a_round(0)], [a_round(0), a_round(1)]):
        with open_logbook(LogConfig(tensorboard=True), tmp_path, {}) as log:
            log(rounds)
    read = EventAccumulator(str(tmp_path / "logs/rounds"), purge_orphaned_data=True).Reload()
    assert [(event.step, event.value) for event in read.Scalars("accuracy/search")] == [(0, 1.0), (1, 1.0)]


@pytest.fixture
def weights_and_biases(monkeypatch):
    """Stands for the package: what a run of it is told."""
    told = []

    class FakeRun:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            told.append("finished")

        def log(self, figures, step):
            told.append((step, figures["tokens/gate"]))

    module = ModuleType("wandb")
    module.__spec__ = ModuleSpec("wandb", None)
    module.init = lambda **settings: told.append(settings) or FakeRun()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return told


@pytest.mark.parametrize("mode", [None, "online"])
def test_weights_and_biases_stays_offline_unless_the_environment_says_otherwise(
    weights_and_biases, tmp_path, monkeypatch, mode
):
    monkeypatch.setenv("WANDB_MODE", mode or "")
    if mode is None:
        monkeypatch.delenv("WANDB_MODE")
    with open_logbook(LogConfig(wandb=True), tmp_path / "mine", {"seed": 1}) as log:
        log([a_round(0), a_round(1)])
        assert weights_and_biases == [], "a training's own run may be open meanwhile"
    settings, *rounds = weights_and_biases
    assert settings.pop("reinit") == "create_new"
    assert settings == {"project": "regrow", "name": "mine", "dir": str(tmp_path / "mine/logs"), "config": {"seed": 1}}
    assert rounds == [(0, 10.0), (1, 10.0), "finished"]
    assert logbook.os.environ["WANDB_MODE"] == (mode or "offline")


def test_weights_and_biases_writes_a_run_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with open_logbook(LogConfig(wandb=True), tmp_path, {}) as log:
        log([a_round(0)])
    assert list(tmp_path.glob("logs/wandb/offline-run-*/*.wandb"))
