"""`regrow research`: stored trees under other settings; for their own setting, what was chosen online."""

import csv
import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from fakes import ScriptedPolicy, TableScorer

from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, RolloutBranching
from mcts.seeds import seed_of
from mcts.types import Outcome, Step, StepEnd, Until
from mcts.walk import Query
from regrow.checker import TaskChecker
from regrow.cli import main
from regrow.judging import judged
from regrow.research.stored import stored_trees, with_values
from regrow.tasks.countdown import Countdown
from regrow.tasks.countdown_truth import moves
from regrow.tasks.task import Split
from regrow.trace_store import write_trees

TASK = Countdown(numbers=(3,))
BRANCHING = RolloutBranching()
COUNTDOWN = ["task.options.numbers=[3]"]


def move(numbers, dice):
    """A random legal step, as a policy words it."""
    chosen = dice.choice(list(moves(numbers, TASK.limit)))
    end = StepEnd.FINAL if len(chosen.left) == 1 else StepEnd.DELIMITER
    return Step(chosen.text, (7, len(chosen.text)), (-0.5, -0.25 * len(chosen.text)), end), chosen.left


def propose(request):
    given = tuple(map(int, request.state.problem.question.partition(" -> ")[0].split()))
    for step in request.state.steps:
        given = next(one.left for one in moves(given, TASK.limit) if one.text == step.text)
    return tuple(_continuation(request, given, Random(seed_of(request.seed, i))) for i in range(request.width))


def _continuation(request, numbers, dice):
    steps = []
    while not steps or (request.until is Until.END and steps[-1].end is StepEnd.DELIMITER):
        step, numbers = move(numbers, dice)
        steps.append(step)
    return tuple(steps)


def grown(search=BRANCHING, tokens=60, *, checker=False, count=20, marks=()):
    graded = TASK.problems(Split.TRAIN, count, seed=3)
    queries = [
        Query(one.problem, search, Budget(tokens=tokens), seed_of(one.problem.id), marks=marks) for one in graded
    ]
    scheduler = Scheduler(ScriptedPolicy(propose), TableScorer(), checker=TaskChecker(TASK) if checker else None)
    trees = {tree.problem.id: tree for tree in scheduler.run(queries)}
    return [judged(TASK, one, trees[one.problem.id]) for one in graded]


def researched(folder, *overrides):
    out = folder / "found.csv"
    assert main(["research", f"traces={folder}", f"out={out}", *COUNTDOWN, *overrides]) == 0
    with out.open(newline="") as file:
        return {(row["setting"], int(row["budget"])): row for row in csv.DictReader(file)}


@pytest.mark.parametrize("search", ["rollout_branching", "best_of_n"])
@pytest.mark.parametrize("checker", [False, True])
def test_its_own_setting_comes_to_what_it_came_to_online(tmp_path, search, checker):
    kinds = {"rollout_branching": BRANCHING, "best_of_n": BestOfN()}
    trees = grown(kinds[search], checker=checker, marks=(15, 60))
    write_trees(tmp_path, trees)
    rows = researched(tmp_path, f"strategies=['{search} choice=best']", "budgets=[15,60]", f"checker={checker}")
    for m, budget in enumerate((15, 60)):
        row = rows[f"{search} choice=best", budget]
        answers = [one.tree.at_marks[m].answer for one in trees]
        online = [one.outcomes.get(answer) is Outcome.CORRECT for one, answer in zip(trees, answers, strict=True)]
        assert float(row["coverage"]) == 1.0
        told = {float(row[name]) for name in ("accuracy", "at_least", "at_most", "so_far")}
        assert told == {np.mean(online)}
        tokens = np.mean([one.tree.at_marks[m].spent.tokens_generated for one in trees])
        assert float(row["tokens"]) == pytest.approx(tokens)


def test_a_grid_has_every_combination_once_and_a_search_that_asks_for_more_is_not_covered(tmp_path):
    write_trees(tmp_path, grown())
    rows = researched(
        tmp_path,
        "strategies=['rollout_branching root_share=0.3:0.5:0.1 strength=1,3 choice=vote','step_beam']",
        "budgets=[20,60,600]",
        "checker=false",
    )
    assert len(rows) == (3 * 2 + 1) * 3
    wide = rows["rollout_branching root_share=0.4 strength=3 choice=vote", 600]
    assert (float(wide["coverage"]), wide["accuracy"], wide["tokens"]) == (0.0, "", "")
    assert (float(wide["at_least"]), float(wide["at_most"])) == (0.0, 1.0)
    own = [rows["rollout_branching root_share=0.5 strength=3 choice=vote", budget] for budget in (20, 60, 600)]
    assert [float(row["coverage"]) for row in own] == [1.0, 1.0, 0.0]
    assert float(rows["step_beam", 20]["coverage"]) == 0.0  # four steps at each prefix: nobody drew them
    ahead = [float(row["at_least"]) for (_, budget), row in rows.items() if budget == 20]
    assert ahead == sorted(ahead, reverse=True)


def test_values_may_be_taken_away_or_made_meaningless(tmp_path):
    write_trees(tmp_path, grown(BestOfN(), checker=False))
    told = ["strategies=['best_of_n choice=best']", "budgets=[60]", "checker=false"]
    found = {
        values: float(researched(tmp_path, *told, f"values={values}")["best_of_n choice=best", 60]["accuracy"])
        for values in ("prm", "none", "constant", "inverted", "shuffled")
    }
    assert found["none"] == found["constant"]  # the first solution
    assert len(set(found.values())) >= 3


def test_a_scorer_that_is_asked_anew_gives_every_node_its_value():
    [group] = stored_trees(grown(count=5), 5)
    for one, scored in zip(group, with_values(group, "prm", TableScorer(), 0), strict=True):
        assert not np.isnan(scored.pool.record.scores).any()
        np.testing.assert_array_equal(scored.pool.record.scores, one.pool.record.scores)
    half = with_values(group, "prm", TableScorer(lambda *texts: 0.5), 0)
    assert {score for one in half for score in one.pool.record.scores} == {0.5}


def test_the_table_and_json_say_the_same(tmp_path, capsys):
    write_trees(tmp_path, grown(count=4))
    given = [
        "research",
        f"traces={tmp_path}",
        *COUNTDOWN,
        "strategies=['best_of_n choice=majority,best']",
        "budgets=[10]",
    ]
    assert main([*given, "checker=false"]) == 0
    shown = capsys.readouterr().out
    assert "best_of_n choice=majority" in shown
    assert "4 trees, 2 settings" in shown
    assert main([*given, "output=json", f"out={tmp_path / 'all.json'}"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == json.loads((tmp_path / "all.json").read_text())["findings"]
    assert (told["trees"], told["checker"], {row["choice"] for row in told["findings"]}) == (4, True, {"checker"})


RIGHT = ["strategies=[best_of_n]", "budgets=[20]"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (RIGHT[:1], "budgets=[]: expected one or more ascending numbers of tokens"),
        (RIGHT[1:], "no strategies, expected"),
        ([*RIGHT, "values=good"], "research.values=good: expected one of prm, none"),
        ([*RIGHT, "out=found.txt"], "out=found.txt: expected a file that ends in .csv or .json"),
        (["strategies=[greedy]", "budgets=[20]"], "draws at temperature 0.0, expected that of the trees (1.0)"),
        (["strategies=['best_of_n width=x']", "budgets=[20]"], "config search.width"),
        (["strategies=['best_of_n width=0']", "budgets=[20]"], "width=0, expected 1 or more"),
        (["strategies=['rollout_branching strength=0']", "budgets=[20]"], "strength=0.0, expected more than 0"),
        (["strategies=['best_of_n width']", "budgets=[20]"], "width in 'best_of_n width', expected setting=value"),
        (["strategies=['best_of_n width=3:1:1']", "budgets=[20]"], "expected a range FROM:TO:STEP that ascends"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, capsys, overrides, says):
    write_trees(tmp_path, grown(RolloutBranching(), 200, count=2))
    assert main(["research", f"traces={tmp_path}", *COUNTDOWN, *overrides]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.strip().splitlines()) == 1


def test_trees_that_cannot_be_searched_again_are_refused(tmp_path, capsys):
    trees = grown(count=2)
    bare = [replace(one, tree=replace(one.tree, record=None)) for one in trees]
    failed = [replace(one, tree=replace(one.tree, failure="lost")) for one in trees]
    nan = replace(trees[0].tree.record, scores=np.full(len(trees[0].tree.steps), np.nan))
    silent = [replace(trees[0], tree=replace(trees[0].tree, record=nan))]
    for some, says in (
        (bare, "has no record of draws"),
        (failed, "every search was given up"),
        (silent, "were told no values, expected values=none or prm.path=DIR"),
    ):
        write_trees(tmp_path, some)
        assert main(["research", f"traces={tmp_path}", *COUNTDOWN, *RIGHT]) == 2
        assert says in capsys.readouterr().err
