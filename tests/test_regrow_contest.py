"""Strategies side by side: the figures by hand, and the door with real models."""

import json

import numpy as np
import pytest
from test_regrow_rounds import TINY, run  # noqa: F401 (a fixture)

from mcts.choice import Choice
from mcts.search import BestOfN
from regrow.cli import UNUSABLE, main
from regrow.standings import Entry, bootstrap_interval, standings
from regrow.strategy import Strategy

ALL = [
    "auto",
    "greedy",
    "best_of_n",
    "self_consistency",
    "weighted_vote",
    "rollout_branching",
    "step_beam",
    "dvts",
    "lookahead",
    "tot_bfs",
    "tot_dfs",
    "puct",
    "rest_mcts_star_paper",
    "rest_mcts_star_code",
]
BUDGETS = [15, 60]


def entry(*correct: list[int], tokens: float = 10.0) -> Entry:
    return Entry(np.asarray(correct, np.float64), np.full((len(correct), len(correct[0])), tokens))


def test_a_standing_is_the_mean_over_problems_and_seeds_and_the_difference_to_the_reference():
    strategies = [Strategy(BestOfN(name=name), choice=Choice.VOTE) for name in ("ours", "best_of_n")]
    entries = {
        "ours": [entry([1, 1, 0, 0], [1, 1, 1, 1]), entry([1, 0, 0, 0], [1, 1, 1, 0])],
        "best_of_n": [entry([1, 0, 0, 0], [1, 0, 1, 0]), entry([0, 0, 0, 0], [1, 0, 1, 0], tokens=20)],
    }
    small, reference, large, _ = standings(strategies, entries, (50, 100), hides_choice=False)
    assert (small.strategy, small.budget, small.choice, small.over) == ("ours", 50, "vote", "best_of_n")
    assert small.accuracy == 3 / 8
    assert small.by_seed == (0.5, 0.25)
    assert small.difference == 3 / 8 - 1 / 8
    assert (large.budget, large.accuracy, large.difference) == (100, 7 / 8, 3 / 8)
    assert (reference.difference, reference.difference_low, reference.difference_high) == (0, 0, 0)
    assert reference.tokens == 15


def test_without_best_of_n_the_first_is_the_reference_and_a_checker_hides_the_choice():
    strategies = [Strategy(BestOfN(name=name)) for name in ("a", "b")]
    table = standings(strategies, {"a": [entry([1, 0])], "b": [entry([1, 1])]}, (9,), hides_choice=True)
    assert [(one.over, one.choice) for one in table] == [("a", "checker"), ("a", "checker")]


def test_a_bootstrap_interval_is_about_the_normal_one_and_always_the_same():
    sample = np.random.default_rng(1).random(400)
    low, high = bootstrap_interval(sample)
    half = 1.96 * sample.std() / 20
    assert abs(low - (sample.mean() - half)) < half / 5
    assert abs(high - (sample.mean() + half)) < half / 5
    assert bootstrap_interval(sample) == (low, high)
    assert bootstrap_interval(np.ones(5)) == (1.0, 1.0)


@pytest.fixture(scope="module")
def contest(run, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("contest") / "c"
    models = [f"policy.path={run}/round-2/policy", f"prm.path={run}/round-2/prm"]
    arguments = [*TINY, *models, f"run.dir={folder}", f"strategies=[{','.join(ALL)}]", f"budgets={BUDGETS}"]
    assert main(["evaluate", *arguments, "evaluate.seeds=2"]) == 0
    return folder, arguments


def test_every_strategy_is_measured_at_every_budget_and_the_accounts_agree_with_the_policy(contest):
    report = json.loads((contest[0] / "report.json").read_text())
    table = {(one["strategy"], one["budget"]): one for one in report["standings"]}
    assert list(table) == [(name, budget) for budget in BUDGETS for name in ALL]
    assert all(len(one["by_seed"]) == 2 for one in table.values())
    assert all(one["low"] <= one["accuracy"] <= one["high"] for one in table.values())
    accounts = report["accounts"]
    assert len(accounts) == 2 * len(ALL)
    assert all(account["tokens_generated"] == account["counted_by_policy"] > 0 for account in accounts)
    assert all(account["failed"] == 0 for account in accounts)
    page = (contest[0] / "report.html").read_text()
    assert all(name in page for name in ALL)


def test_what_is_drawn_alike_comes_out_alike(contest):
    report = json.loads((contest[0] / "report.json").read_text())
    table = {(one["strategy"], one["budget"]): one for one in report["standings"]}
    for budget in BUDGETS:  # the checker chooses: three names for the same draws
        found = [table[name, budget]["by_seed"] for name in ("best_of_n", "self_consistency", "weighted_vote")]
        assert found[0] == found[1] == found[2]
    assert table["greedy", 15]["tokens"] == table["greedy", 60]["tokens"]


def test_a_finished_contest_is_not_held_again(contest, capsys):
    folder, arguments = contest
    before = {path: path.stat().st_mtime_ns for path in (folder / "contest").rglob("*.json")}
    assert main(["evaluate", *arguments, "evaluate.seeds=2", "output=json"]) == 0
    assert json.loads(capsys.readouterr().out)["standings"]
    assert {path: path.stat().st_mtime_ns for path in (folder / "contest").rglob("*.json")} == before


def test_other_values_than_the_prms_lead_the_same_searches_elsewhere(run, tmp_path):  # noqa: F811
    models = [f"policy.path={run}/round-2/policy", f"prm.path={run}/round-2/prm"]
    nodes: dict[str, list[int]] = {"best_of_n": [], "step_beam": []}
    for values in ("prm", "oracle", "constant", "inverted"):
        where = tmp_path / values
        arguments = [*TINY, *models, f"run.dir={where}", "strategies=[best_of_n,'step_beam beams=1']", "budgets=[200]"]
        assert main(["evaluate", *arguments, f"evaluate.values={values}"]) == 0
        for account in json.loads((where / "report.json").read_text())["accounts"]:
            nodes[account["strategy"]].append(account["nodes"])
    assert len(set(nodes["best_of_n"])) == 1
    assert len(set(nodes["step_beam"])) >= 3  # a tiny PRM may be as good as constant


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["strategies=[luck]"], "strategies: luck, expected one of alphallm_gsm8k_large, alphallm_gsm8k_small"),
        (["strategies=[best_of_n,best_of_n]"], "best_of_n twice, expected different names"),
        (["strategies=[best_of_n]", "budgets=[100,50]"], "budgets=[100, 50]: expected ascending"),
        (["strategies=[best_of_n]", "budgets=[0]"], "budgets=[0]: expected ascending numbers of tokens, from 1"),
        (["strategies=['step_beam beam=2']"], "beam"),
        (["strategies=[best_of_n]", "evaluate.values=luck"], "evaluate.values=luck: expected one of prm, oracle"),
    ],
)
def test_a_contest_that_cannot_be_held_says_why(run, tmp_path, capsys, overrides, said):  # noqa: F811
    models = [f"policy.path={run}/round-2/policy", f"prm.path={run}/round-2/prm"]
    assert main(["evaluate", *TINY, *models, f"run.dir={tmp_path / 'r'}", *overrides]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
