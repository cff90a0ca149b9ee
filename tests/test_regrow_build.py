"""From configuration to objects: settings that decide results reach what they are for."""

from typing import Any

import prm_published
import pytest
from prm_tiny import state

from mcts.aggregate import Aggregate
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.search import BestOfN
from mcts.types import Score, Ticket
from prm.scorer import HfScorer
from regrow.build import check_choices, checker_of, scorer_of, strategy_of
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


def prm_config(**settings: Any) -> Config:
    config = Config()
    config.task.name = "countdown"
    for name, value in settings.items():
        setattr(config.prm, name, value)
    return config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "oracle"}, "prm.engine=oracle: expected one of hf, vllm"),
        ({"format": "oracle"}, "prm.format=oracle: expected one of null, regrow, qwen_prm"),
        ({"format": "skywork"}, "prm.format=skywork: expected prm.path to name a checkpoint"),
    ],
)
def test_a_prm_setting_that_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        check_choices(prm_config(**settings))


def test_the_format_of_a_prm_reaches_its_scorer(tmp_path):
    tiny = prm_published.math_shepherd(tmp_path)
    scorer = scorer_of(prm_config(format="math_shepherd"), tiny.path)
    assert isinstance(scorer, HfScorer)
    scorer.submit(Ticket("t", 0), Score(state("a", "b")))
    assert scorer.poll(1.0)[0][1][1:] == pytest.approx(tiny.by_hand("a", ["b"]), abs=1e-4)


def test_the_engine_of_a_prm_is_started_with_its_own_settings(tmp_path, monkeypatch):
    pytest.importorskip("vllm")
    started = []
    monkeypatch.setattr("policy.vllm_engine.engine_of", lambda *given, **named: started.append((given, named)))
    tiny = prm_published.regrow(tmp_path)
    config = prm_config(engine="vllm")
    config.prm.vllm.max_num_seqs = 3
    scorer_of(config, tiny.path)
    ((path, _, settings, dtype), named) = started[0]
    assert (path, settings.max_num_seqs, dtype) == (tiny.path, 3, "float32")
    assert settings.gpu_memory_utilization + config.policy.vllm.gpu_memory_utilization < 1
    assert named == {"role": "prm", "runner": "pooling"}
