"""Every file of `conf/experiment` composes, and begins with the command that runs it and its source."""

from importlib.resources import files

import pytest

from regrow.compose import NO_OUTPUT, run_composed
from regrow.experiment import Experiment
from regrow.manifest import open_run

EXPERIMENTS = sorted(path.name.removesuffix(".yaml") for path in files("conf").joinpath("experiment").iterdir())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_and_can_be_set_up(name, tmp_path):
    def job(config):
        assert config.run.name == name
        with open_run(tmp_path / "run", "train", {}) as run:
            Experiment(config, run)

    run_composed("train", [f"experiment={name}", *NO_OUTPUT], job)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_how_it_is_run_and_where_it_is_from(name):
    package, command, *comment = files("conf").joinpath("experiment", f"{name}.yaml").read_text().splitlines()
    assert package == "# @package _global_"
    assert command == f"# regrow train experiment={name}"
    assert any("arXiv" in line for line in comment)
