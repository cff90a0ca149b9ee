"""What cannot be used gets one clear line: a few of the thousand of each kind, and all that once did not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from bad_input import COUNTS, BadCommand, corpus, faults, made, scratch, unclear_line

from regrow.cli import UNUSABLE

ROOT = Path(__file__).parents[1]
EACH = 2
"""Of each kind, drawn anew with the seed."""

SEED = 11
PATIENCE_S = 60.0
"""Other tests run beside this one."""

MENDED = {
    "config": ("search.width=-1", "search.root_share=-1", "policy.train.learning_rate=inf",
        "prm.states_per_problem=-1"),
    "words": (
        "'--config-name=absent'", "'--config-dir=absent'", "'--nonsense'", "'search='", "'seed=0x'", "round.cuont",
        "policy.train.lr", "84: \"generate problems=''\"", "21: 'train task.options.largest=a'",
    ),
    "checkpoint": (
        "prm.path=''", "prm config vocab_size='many'", "policy config max_position_embeddings=-1",
        "policy config num_key_value_heads=0", "policy model.norm.weight nan", "prm model.norm.weight one nan",
        "prm config num_hidden_layers=-1", "prm config hidden_size=0",
        "policy tokenizer pre_tokenizer={'type': 'Knife'}",
        "prm tokenizer.json deep", "policy tokenizer.json null", "prm config.json null", "adapter of other weights",
        "prm index of weights elsewhere", "prm config rope_parameters={'rope_type': 'spiral'}", "prm.path=absent",
    ),
    "traces": (
        "export: end=None in nodes.parquet", "view: parent=1 in nodes.parquet", "export: text=None in nodes.parquet",
        "stepwise: outcome= in nodes.parquet", "export: seed=None in problems.parquet",
        "view: nodes=0 in problems.parquet",
    ),
    "problems": ("generate: a long number .json", "search: a long number"),
    "http": ("chat/completions: deep", "completions: prompt='2 3 -> \\ud800'"),
}  # fmt: skip
"""Inputs that ended in a traceback, a hang or an unclear line when they were first tried, by kind."""


def chosen():
    """The inputs of this test."""
    for kind in COUNTS:
        all_of_it = list(made(kind))
        mended = [one for one in all_of_it if one.name.partition("/")[2] in MENDED.get(kind, ())]
        assert len(mended) == len(MENDED.get(kind, ())), f"a name of {kind} is no longer made"
        drawn = Random(f"{SEED} {kind}").sample(all_of_it, EACH)
        yield from {one.name: one for one in [*mended, *drawn]}.values()


def try_chosen(folder):
    """Names and faults of the inputs that are not told in one clear line, as JSON on standard output."""
    found = {one.name: fault for one, fault in faults(list(chosen()), folder, PATIENCE_S) if fault}
    print(f"\n{json.dumps(found)}")


def test_whatever_cannot_be_used_gets_one_clear_line(tmp_path):
    # Inputs are tried in forks; one of a process in which other tests have started threads may hang.
    code = "import pathlib, sys, test_regrow_bad_inputs as its; its.try_chosen(pathlib.Path(sys.argv[1]))"
    path = os.pathsep.join(str(ROOT / name) for name in ("tests", "benchmarks", ""))
    command = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(run.stdout.splitlines()[-1]) == {}


def test_there_are_a_thousand_and_each_is_another():
    assert len({one.name for one in corpus()}) == 1_000


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("regrow: seed=x: expected a number\n", ""),
        ("regrow: 1/2\nregrow: seed: expected\n", "not one line"),
        ("Traceback\nregrow: seed: expected a number\n", "not one line"),
        ("regrow: that is wrong, expected another\n", "names none"),
        ("regrow: seed=x is wrong\n", "does not say"),
        (f"regrow: seed: expected {'x' * 500}\n", "characters"),
        ("seed: expected a number\n", "not one line"),
        ("", "not one line"),
    ],
)
def test_a_line_is_judged(said, fault):
    assert fault in unclear_line(said, ["seed"])
    assert bool(fault) == bool(unclear_line(said, ["seed"]))


def test_what_writes_elsewhere_or_goes_well_has_a_fault(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    with scratch(tmp_path):
        assert "ended with 0" in BadCommand("x", ["search", "--help"], ["x"]).fault(folder)
        monkeypatch.setattr("bad_input.main", lambda words: Path("outside").write_text("x") and UNUSABLE)
        assert BadCommand("x", [], ["x"]).fault(folder) == f"wrote open {folder / 'outside'}"
