"""Every file of `conf/experiment` composes, and begins with the command that runs it and its source."""

import json
from importlib.resources import files

import pytest

from regrow.cli import main
from regrow.compose import NO_OUTPUT, run_composed
from regrow.experiment import Experiment
from regrow.imagine.imagined import read_imagined
from regrow.manifest import open_run
from regrow.trace_store import read_trees

EXPERIMENTS = sorted(path.name.removesuffix(".yaml") for path in files("conf").joinpath("experiment").iterdir())
DATA_SETS = {"gsm8k_1.5b": {"train": 7473, "test": 1319}, "math_7b": {"train": 7500, "test": 500}}
"""Experiment -> problems of its splits, as published."""
SMALL = [
    "task.options.operations=[2]",
    "policy.base.size.hidden=48",
    "policy.base.size.layers=2",
    "policy.base.size.intermediate=96",
    "policy.base.demonstrations=6000",
    "policy.base.validation=100",
    "policy.base.train.max_steps=250",
    "policy.base.train.learning_rate=0.008",
    "policy.train.max_steps=5",
    "prm.zero.problems=100",
    "prm.zero.train.max_steps=10",
    "prm.train.max_steps=5",
    "search.rollouts=1",
    "imagine.count=24",
    "imagine.agreement=0.2",
    "round.problems=16",
    "round.controls=[]",
    "round.budget.simulations=12",
    "gate.problems=20",
    "evaluate.problems=4",
    "evaluate.drawn=4",
    "evaluate.budget.simulations=4",
]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_and_can_be_set_up(name, tmp_path):
    def job(config):
        assert config.run.name == name
        with open_run(tmp_path / "run", "train", {}) as run:
            Experiment(config, run).fresh(config.round.count)

    run_composed("train", [f"experiment={name}", *stand_ins(name, tmp_path), *NO_OUTPUT], job)


def stand_ins(name, folder):
    """Files in place of the data sets that a recipe names, with as many problems."""
    for split, count in DATA_SETS.get(name, {}).items():
        rows = (json.dumps({"question": f"What is {split} {n}?", "answer": str(n)}) for n in range(count))
        (folder / f"{split}.jsonl").write_text("\n".join(rows))
    return [f"task.options.{split}={folder / split}.jsonl" for split in DATA_SETS.get(name, {})]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_how_it_is_run_and_where_it_is_from(name):
    package, command, *comment = files("conf").joinpath("experiment", f"{name}.yaml").read_text().splitlines()
    assert package == "# @package _global_"
    assert command == f"# regrow train experiment={name}"
    assert any("arXiv" in line for line in comment)


def test_alphallm_goes_through_rounds_with_a_real_policy_that_imagines(tmp_path, cache):
    run = tmp_path / "run"
    assert main(["train", "experiment=alphallm", *SMALL, f"run.dir={run}", f"cache={cache}"]) == 0
    for number in (1, 2):
        imagined = read_imagined(run / f"round-{number}/imagined")
        trees = {one.tree.problem.id: one for one in read_trees(run / f"round-{number}/traces")}
        assert imagined
        assert all(trees[one.id].gold == "" for one in imagined)
        assert 0 < sum(bool(tree.gold) for tree in trees.values()) < 16
        assert (run / f"round-{number}/critic-orm/model.safetensors").exists()
    asked = json.loads((run / "round-2/imagined/stage.json").read_text())["result"]["ways"]
    assert asked["challenge"]["asked"] > 0  # of what the first round failed at
