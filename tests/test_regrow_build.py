"""From configuration to objects: settings that decide results reach what they are for."""

from typing import Any

import pytest

from mcts.aggregate import Aggregate
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.search import BestOfN
from regrow.build import checker_of, strategy_of
from regrow.config import Config, schema_of
from regrow.tasks import make_task


def strategy(task: str, *, checker: bool = True, aggregate: str = "last", **search: Any):
    config = Config()
    config.checker, config.prm.aggregate = checker, aggregate
    node = schema_of(BestOfN, kind="best_of_n", aggregate=None, choice=None)(**search)
    return strategy_of(node, config, make_task(task))


def test_a_search_answers_with_what_the_checker_accepted_or_else_by_the_vote():
    assert strategy("countdown").choice is Choice.BEST
    assert strategy("countdown", checker=False).choice is Choice.VOTE
    assert strategy("arithmetic").choice is Choice.VOTE
    assert strategy("arithmetic", choice="majority").choice is Choice.MAJORITY


def test_a_search_reads_values_as_the_task_does_unless_it_says_otherwise():
    assert strategy("arithmetic", aggregate="min").aggregate is Aggregate.MIN
    assert strategy("arithmetic", aggregate="min", **{"width": 3}).search == BestOfN(width=3)
    node = schema_of(BestOfN, kind="best_of_n", aggregate="mean", choice=None)()
    assert strategy_of(node, Config(), make_task("countdown")).aggregate is Aggregate.MEAN


def test_a_word_that_names_nothing_is_told_with_those_that_do():
    with pytest.raises(InputError, match="search best_of_n: choice=luck: expected one of best, threshold, majority"):
        strategy("countdown", choice="luck")


@pytest.mark.parametrize(
    ("task", "checker", "has_one"),
    [("countdown", True, True), ("countdown", False, False), ("arithmetic", True, False)],
)
def test_verdicts_are_seen_where_the_task_has_them_and_they_are_not_hidden(task, checker, has_one):
    config = Config()
    config.checker = checker
    assert (checker_of(config, make_task(task)) is not None) is has_one
