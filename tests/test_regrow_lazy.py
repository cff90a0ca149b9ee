"""What goes to another process: settings, tasks, searches, and engines that are not loaded yet."""

import dataclasses
import pickle

import pytest

from regrow.build import strategy_of, task_of
from regrow.compose import composed, preset_names
from regrow.lazy import Lazy
from regrow.tasks.task import Split

MADE = []


def make(name):
    MADE.append(name)
    return [name]


def test_it_is_made_once_where_it_is_first_asked_for_and_travels_unmade():
    MADE.clear()
    here = Lazy(make, "engine")
    assert MADE == []
    assert here() is here() == ["engine"]
    there = pickle.loads(pickle.dumps(here))
    assert MADE == ["engine"]
    assert there() == here()
    assert there() is not here()


@pytest.mark.parametrize("task", ["countdown", "game24", "arithmetic", "gsm8k"])
def test_a_configuration_its_task_and_its_search_arrive_as_they_were(task):
    config = composed([f"task={task}", "search=auto"])
    arrived = pickle.loads(pickle.dumps(config))
    assert dataclasses.asdict(arrived) == dataclasses.asdict(config)
    here, there = task_of(config), pickle.loads(pickle.dumps(task_of(config)))
    strategy = pickle.loads(pickle.dumps(strategy_of(config.search, config, here)))
    steps = ["so it is", r"\boxed{8} #### 8"]
    assert there.answer(steps) == here.answer(steps) == strategy.search.answer(tuple(steps))
    if task != "gsm8k":
        assert there.problems(Split.TRAIN, 3, 1) == here.problems(Split.TRAIN, 3, 1)


def test_every_search_arrives_as_it_was():
    for name in preset_names():
        config = composed([f"search={name}"])
        strategy = strategy_of(config.search, config, task_of(config))
        if name != "auto":
            assert pickle.loads(pickle.dumps(strategy)) == strategy
