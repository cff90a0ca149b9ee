"""Recorded solutions: every form of file, draws without replacement, replay, scores, and the door."""

import json
from dataclasses import replace
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes import TableScorer, assert_same_tree, texts_of

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.journal import Journal
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, RolloutBranching
from mcts.types import Problem, Propose, Score, State, Step, StepEnd, Ticket, Until
from mcts.walk import Query
from policy.prompts import PromptFormat
from policy.recorded import recorded_set
from policy.recorded_policy import RecordedPolicy
from regrow.cli import UNUSABLE, main
from regrow.recorded_scores import RecordedScorer, recorded_scorer
from regrow.strategy import Strategy

A, B = Problem("a", "2 3 -> 5"), Problem("b", "2 4 -> 6")
TEXTS = [f"step {i}\n\nanswer {i}" for i in range(7)]


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def recorded(tmp_path):
    return recorded_set(write(tmp_path / "r.jsonl", {"id": "a", "completions": TEXTS}, {"id": "b", "answers": ["x"]}))


def policy(recorded, seed=0):
    return RecordedPolicy(recorded, PromptFormat(), seed=seed)


def asked(problem=A, width=1, drawn=0, until=Until.END, steps=()):
    return Propose(State(problem, steps), width, until, 1.0, 8, 0, drawn)


def reply(policy, request):
    policy.submit(Ticket("t", 0), request)
    ((_, proposal),) = policy.poll(0.0)
    return proposal


# --- forms ------------------------------------------------------------------------------------------------------------

FORMS = {
    "texts": [{"id": "a", "completions": ["x y", "z"]}],
    "by text": [{"problem": " 2  3 -> 5", "responses": ["x y", "z"]}],
    "by prompt": [{"prompt": A.question, "answers": ["x y", "z"], "label": ["5"]}],
    "objects": [{"id": "a", "solutions": [{"text": "x y", "tokens": 5}, {"text": "z", "tokens": 2}]}],
    "tokens beside": [{"unique_id": "a", "completions": ["x y", "z"], "completion_tokens": [5, 2]}],
    "a row each": [
        {"id": "a", "response": "x y", "tokens": 5},
        {"id": "b", "response": "w"},
        {"id": "a", "response": "z"},
    ],
    "a row each, by text": [{"question": A.question, "generation": "x y"}, {"question": A.question, "generation": "z"}],
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_solutions(name, tmp_path):
    lines = recorded_set(write(tmp_path / "r.jsonl", *FORMS[name]))
    (tmp_path / "r.json").write_text(json.dumps(FORMS[name]))
    pq.write_table(pa.Table.from_pylist(FORMS[name]), tmp_path / "r.parquet")
    for found in (lines, recorded_set(tmp_path / "r.json"), recorded_set(tmp_path / "r.parquet")):
        one, two = found.of(A).candidates
        assert (one.text, two.text) == ("x y", "z")
        assert (one.tokens or 5) == 5
        assert found.most == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "r.jsonl:1: not JSON"),
        ([1], "r.jsonl:1: a JSON list, expected an object"),
        ({"completions": ["x"]}, "r.jsonl:1: neither id nor problem or question or prompt"),
        ({"id": "a"}, "r.jsonl:1: no solutions, expected a list under completions, responses, solutions, answers"),
        ({"id": "a", "completions": []}, "r.jsonl:1: completions is an empty list"),
        ({"id": "a", "completions": "x"}, "r.jsonl:1: completions is a str"),
        ({"id": "a", "completions": [1]}, "r.jsonl:1, completions[0]: a int, expected a text or an object with text"),
        ({"id": "a", "completions": [{"texts": 1}]}, "r.jsonl:1, completions[0]: no text, expected a text"),
        ({"id": "a", "completions": ["x"], "scores": [0.1, 0.2]}, "scores: expected one for each of the 1 completions"),
        ({"id": "a", "completions": ["x"], "scores": [["y"]]}, "r.jsonl:1, completions[0]: scores are ['y']"),
        ({"id": "a", "response": "x", "tokens": "many"}, "r.jsonl:1: tokens is a str, expected their number"),
    ],
)
def test_a_row_that_cannot_be_read_says_where_and_what_was_expected(row, said, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(row if isinstance(row, str) else json.dumps(row))
    with pytest.raises(InputError) as error:
        recorded_set(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_problem_is_found_by_its_id_or_its_text_and_no_other_is_taken_for_it(tmp_path):
    rows = [
        {"id": "a", "problem": "1 1 -> 2", "completions": ["x"]},
        {"id": "9", "problem": B.question, "completions": ["y"]},
    ]
    found = recorded_set(write(tmp_path / "r.jsonl", *rows))
    assert found.of(B).candidates[0].text == "y"
    with pytest.raises(InputError, match=r"r\.jsonl:1: 'a' is another problem there"):
        found.of(A)
    with pytest.raises(InputError, match="nothing of problem 'c', expected its id or its text"):
        found.of(Problem("c", "3 3 -> 6"))


def test_a_gold_answer_beside_the_solutions_is_never_kept(tmp_path):
    row = {"id": "a", "answer": "GOLD", "solution": "GOLD", "completions": ["x"]}
    found = recorded_set(write(tmp_path / "r.jsonl", row))
    assert "GOLD" not in repr(found.of(A))
    with pytest.raises(InputError, match="no solutions"):
        recorded_set(write(tmp_path / "s.jsonl", {"id": "a", "answer": "5", "solution": "2 + 3 = 5"}))


# --- draws ------------------------------------------------------------------------------------------------------------


def test_steps_are_the_lines_and_their_tokens_stand_for_words_or_for_a_number_that_is_told(tmp_path):
    rows = [
        {"id": "a", "completions": ["one two\n \nthree\n", ""], "tokens": [None, None]},
        {"id": "b", "response": "aa\nbb", "tokens": 6},
    ]
    told = policy(recorded_set(write(tmp_path / "r.jsonl", *rows)), seed=None)
    words, empty = reply(told, asked(width=2))
    assert [(step.text, len(step.token_ids), step.end) for step in words] == [
        ("one two", 2, StepEnd.DELIMITER),
        ("three", 1, StepEnd.FINAL),
    ]
    assert len({token for step in words for token in step.token_ids}) == 3
    assert empty == (Step("", end=StepEnd.FINAL),)
    ((first, second),) = reply(told, asked(B))
    assert (len(first.token_ids), len(second.token_ids)) == (4, 2)  # by length, the line break with the first
    assert told.tokens_generated == 9


def test_a_tree_draws_each_solution_once_in_an_order_of_the_seed(recorded):
    def order(seed):
        one = policy(recorded, seed)
        return [texts_of(reply(one, asked(drawn=k))[0])[1] for k in range(7)]

    assert sorted(order(0)) == sorted(text.split("\n\n")[1] for text in TEXTS)
    assert order(None) == [text.split("\n\n")[1] for text in TEXTS]
    assert order(0) == order(0)
    assert len({tuple(order(seed)) for seed in (None, 0, 1, 2)}) == 4
    assert reply(policy(recorded), asked(drawn=2, width=3)) == sum(
        (reply(policy(recorded), asked(drawn=k)) for k in (2, 3, 4)), ()
    )


def test_what_is_asked_beyond_the_recorded_solutions_is_nothing(recorded):
    assert reply(policy(recorded), asked(drawn=7)) == ()
    assert reply(policy(recorded), asked(drawn=6, width=2)) == ()
    with pytest.raises(
        InputError, match=r"r\.jsonl:2, answers\[0\]: its problem has 1 solutions, expected search\.width"
    ):
        reply(policy(recorded), asked(B, width=2))


@pytest.mark.parametrize(
    "request_", [asked(until=Until.STEP), asked(steps=(Step("step 0", (1,)),))], ids=["step", "inside"]
)
def test_less_than_a_whole_solution_is_refused(recorded, request_):
    with pytest.raises(InputError, match="whole solutions only: expected search=best_of_n, self_consistency"):
        reply(policy(recorded), request_)


def searched(recorded, stream=None, search=None, seed=0, **more):
    queries = [
        Query(problem, search or BestOfN(), Budget(simulations=99), 7, unit=Unit.SIMULATIONS, **more)
        for problem in (A, B)
    ]
    its = policy(recorded, seed)
    scheduler = Scheduler(its, TableScorer(), journal=None if stream is None else Journal(stream))
    return {tree.problem.id: tree for tree in scheduler.run(queries)}, its


def test_a_search_ends_where_the_solutions_do_and_its_marks_hold_as_many_as_they_say(recorded):
    trees, its = searched(recorded, marks=(1, 2, 4, 8))
    assert [int(kept.visits[0]) for kept in trees["a"].at_marks] == [1, 2, 4, 7]
    assert [int(kept.visits[0]) for kept in trees["b"].at_marks] == [1, 1, 1, 1]
    assert not any(tree.failure for tree in trees.values())
    assert sorted(texts_of(trees["a"].path(int(node)))[0] for node in trees["a"].finals()) == [
        f"step {i}" for i in range(7)
    ]
    assert sum(tree.spent.tokens_generated for tree in trees.values()) == its.tokens_generated


def test_a_search_that_was_cut_off_anywhere_goes_on_to_the_same_tree(recorded):
    whole = BytesIO()
    trees, _ = searched(recorded, whole)
    lines = whole.getvalue().splitlines(keepends=True)
    for kept in range(0, len(lines), 3):
        again, its = searched(recorded, BytesIO(b"".join(lines[:kept])))
        for name, tree in trees.items():
            assert_same_tree(again[name], tree)
    assert its.tokens_generated < sum(tree.spent.tokens_generated for tree in trees.values())


def test_a_search_that_goes_step_by_step_is_told_which_do_not(recorded):
    with pytest.raises(InputError, match="policy=recorded has whole solutions only"):
        searched(recorded, search=RolloutBranching())


def test_other_solutions_or_seeds_are_another_policy(recorded, tmp_path):
    other = recorded_set(write(tmp_path / "o.jsonl", {"id": "a", "completions": ["x"]}))
    assert len({policy(recorded).fingerprint, policy(recorded, 1).fingerprint, policy(other).fingerprint}) == 3


# --- scores -----------------------------------------------------------------------------------------------------------


def scores(tmp_path, scores, aggregate=Aggregate.LAST):
    found = recorded_set(write(tmp_path / "r.jsonl", {"id": "a", "response": "one\ntwo", "scores": scores}))
    scorer = RecordedScorer(found, "\n", aggregate)
    scorer.submit(Ticket("t", 0), Score(State(A, (Step("one"), Step("two", end=StepEnd.FINAL)))))
    ((_, values),) = scorer.poll(0.0)
    return values


def test_a_solution_has_its_own_scores_one_for_each_step_or_one_for_all(tmp_path):
    assert scores(tmp_path, [0.25, 0.75]) == (0.5, 0.25, 0.75)
    assert scores(tmp_path, 0.25, Aggregate.MIN) == (0.5, 0.25, 0.25)


@pytest.mark.parametrize(
    ("told", "aggregate", "said"),
    [
        ([0.1, 1.5], "last", r"r\.jsonl:1: score 1\.5, expected 0 to 1"),
        ([0.1, 0.2, 0.3], "last", r"r\.jsonl:1: 3 scores for 2 steps, as '\\n' ends one"),
        ([], "last", r"r\.jsonl:1: 0 scores for 2 steps"),
        (0.5, "product", "one score for 2 steps, expected aggregate=last, min or mean"),
    ],
)
def test_scores_that_cannot_be_read_are_refused_by_line(tmp_path, told, aggregate, said):
    with pytest.raises(InputError, match=said):
        scores(tmp_path, told, Aggregate(aggregate))


def test_without_scores_only_what_needs_none_is_chosen_by(recorded):
    majority = Strategy(BestOfN(), choice=Choice.MAJORITY)
    assert recorded_scorer(recorded, "\n", majority) is None
    assert recorded_scorer(recorded, "\n", Strategy(BestOfN(temperature=0.0))) is None
    with pytest.raises(
        InputError, match=r"strategy best_of_n chooses by values, and .* has no scores, expected prm=hf"
    ):
        recorded_scorer(recorded, "\n", replace(majority, choice=Choice.BEST))


# --- the door ---------------------------------------------------------------------------------------------------------

RIGHT, WRONG, OTHER = "2 + 3 = 5 : 5", "3 - 2 = 1 : 1", "2 * 3 = 6 : 6"


@pytest.fixture
def files(tmp_path):
    """Most say 1, the scores like 5 best, and their sums 6: each strategy has another answer."""
    texts = [RIGHT, WRONG, WRONG, WRONG, OTHER, OTHER]
    its_scores = [[0.9], [0.1], [0.2], [0.2], [0.6], [0.7]]
    samples = write(
        tmp_path / "s.jsonl", {"problem": "3 2 -> 5", "id": "p", "completions": texts, "scores": its_scores}
    )
    problems = write(tmp_path / "p.jsonl", {"problem": "2 3 -> 5", "id": "p", "answer": "5"})
    return [
        "policy=recorded",
        f"policy.recorded.path={samples}",
        f"problems={problems}",
        "checker=false",
        f"run.dir={tmp_path / 'run'}",
        f"cache={tmp_path / 'cache'}",
    ]


SCORED = {"2": [0.5, 0.9], "3": [0.9, 0.2]}


def held(capsys, *arguments):
    assert main(["evaluate", *arguments, "output=json"]) == 0
    report = json.loads(capsys.readouterr().out)
    return {(one["strategy"], one["budget"]): one["accuracy"] for one in report["standings"]}, report


def test_voting_and_ranking_of_recorded_solutions_need_no_model(files, capsys, tmp_path):
    samples = tmp_path / "s.jsonl"
    samples.write_text(samples.read_text().replace("3 2 -> 5", "2 3 -> 5"))
    table, report = held(capsys, *files, "prm=recorded", "policy.recorded.shuffled=false")
    assert sorted({budget for _, budget in table}) == [1, 2, 4]
    assert table["best_of_n", 1] == table["self_consistency", 1] == 1
    assert table["best_of_n", 4] == table["weighted_vote", 4] == 1
    assert table["self_consistency", 4] == 0
    assert all(account["tokens_generated"] == account["counted_by_policy"] > 0 for account in report["accounts"])
    assert not (tmp_path / "cache").exists()
    other = [*files[:-2], f"run.dir={tmp_path / 'all'}", "budgets=[6]", "prm=recorded"]
    table, _ = held(capsys, *other)
    assert table == {("best_of_n", 6): 1, ("self_consistency", 6): 0, ("weighted_vote", 6): 0}


def test_steps_and_their_scores_end_where_the_tasks_prompt_ends_a_step(capsys, tmp_path):
    solutions = {f"so\nfar\n\n#### {answer}": scores for answer, scores in SCORED.items()}
    rows = [{"id": "p", "completion": text, "scores": scores} for text, scores in solutions.items()]
    asked = [
        "task=file",
        f"problems={write(tmp_path / 'p.jsonl', {'id': 'p', 'problem': '1 + 1 ?', 'answer': '2'})}",
        "policy=recorded",
        f"policy.recorded.path={write(tmp_path / 's.jsonl', *rows)}",
        "prm=recorded",
        f"run.dir={tmp_path / 'run'}",
    ]
    table, _ = held(capsys, *asked)
    assert table["best_of_n", 2] == 1


@pytest.mark.parametrize(
    ("command", "changes", "said"),
    [
        (
            "evaluate",
            [],
            "policy=recorded: no policy's weights to fit PRM 0 from, expected prm.path=DIR or prm=recorded",
        ),
        ("evaluate", ["prm=recorded"], "s.jsonl:1: 'p' is another problem there, expected '2 3 -> 5'"),
        ("evaluate", ["prm=recorded", "policy.recorded.path=null"], "no file, expected policy.recorded.path=FILE"),
        ("evaluate", ["prm=recorded", "policy.recorded.path=none"], "policy.recorded.path=none: cannot be read"),
        (
            "evaluate",
            ["prm=recorded", "strategies=[]"],
            "expected strategies=[best_of_n,self_consistency,weighted_vote]",
        ),
        ("evaluate", ["prm=recorded", "policy=transformers"], "prm=recorded with policy=transformers"),
        (
            "evaluate",
            ["prm=recorded", "evaluate.unit=words"],
            "evaluate.unit=words: expected one of tokens, simulations",
        ),
        ("train", [], "policy=recorded: has no weights here to retrain"),
        ("search", [], "policy=recorded: is for regrow evaluate"),
    ],
)
def test_what_recorded_solutions_cannot_do_is_one_line(files, capsys, command, changes, said):
    assert main([command, *files, *changes]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
