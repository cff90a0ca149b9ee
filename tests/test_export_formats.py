"""What each format says of one small tree, spelt out; and what is left out, refused or chosen."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
from grown import TASK, judged, verified_trees

from mcts.errors import InputError
from mcts.types import Outcome, Problem, Step, StepEnd
from policy.prompts import PromptFormat
from prm.formats.published import up_to_each
from regrow.export.formats import FORMATS
from regrow.export.recipe import Recipe
from regrow.tasks.task import GradedProblem

GRADED = GradedProblem(Problem("p", "2 3 4 -> 20"), "20")
RECIPE = Recipe(PromptFormat("Q: {question}\n"), "countdown")
CHAT = dataclasses.replace(RECIPE, prompt=PromptFormat("Q: {question}\n", chat=True, system="Count."))
FIVE, SEVEN = "3 + 2 = 5 : 4 5", "4 + 3 = 7 : 2 7"
TWENTY, NINE, FOURTEEN = "5 * 4 = 20 : 20", "5 + 4 = 9 : 9", "7 * 2 = 14 : 14"


def tree(*extra):
    """5 then 20 (correct) or 9, or 7 then 14; `extra` are (text, parent) of further finals."""
    finals = [(TWENTY, 1), (NINE, 1), (FOURTEEN, 2), *extra]
    steps = [None, Step(FIVE), Step(SEVEN), *(Step(text, end=StepEnd.FINAL) for text, _ in finals)]
    return judged(GRADED, steps, [-1, 0, 0, *(parent for _, parent in finals)])


def answering(node):
    """The tree of a search that chose `node`."""
    return dataclasses.replace(tree(), tree=dataclasses.replace(tree().tree, answer=node))


def rows(name, verified=None, recipe=RECIPE):
    return list(FORMATS[name].rows(verified or tree(), recipe, 7))


def chat(*contents, roles=("system", "user", "assistant")):
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


def test_the_tree_is_as_the_other_tests_take_it():
    verified = tree()
    assert verified.labels.hard.tolist() == [1, 1, 0, 1, 0, 0]
    np.testing.assert_allclose(verified.labels.soft, [1 / 3, 1 / 2, 0, 1, 0, 0], rtol=1e-6)
    assert verified.answers == {3: "20", 4: "9", 5: "14"}


def test_sft():
    assert rows("sft") == [{"prompt": "Q: 2 3 4 -> 20\n", "completion": f"{FIVE}\n{TWENTY}", "problem_id": "p"}]
    assert rows("sft", recipe=CHAT) == [
        {
            "prompt": chat("Count.", "Q: 2 3 4 -> 20"),
            "completion": [{"role": "assistant", "content": f"{FIVE}\n{TWENTY}"}],
            "problem_id": "p",
        }
    ]


def test_sft_messages():
    assert rows("sft_messages", recipe=CHAT) == [
        {"messages": chat("Count.", "Q: 2 3 4 -> 20", f"{FIVE}\n{TWENTY}"), "problem_id": "p"}
    ]


def test_preference_pairs_what_is_correct_with_what_is_wrong():
    [row] = rows("preference")
    assert (row["prompt"], row["chosen"]) == ("Q: 2 3 4 -> 20\n", f"{FIVE}\n{TWENTY}")
    assert row["rejected"] in (f"{FIVE}\n{NINE}", f"{SEVEN}\n{FOURTEEN}")


def test_step_preference_tells_siblings_apart_by_a_margin():
    pairs = [(row["prompt"], row["chosen"], row["rejected"]) for row in rows("step_preference")]
    first = ("Q: 2 3 4 -> 20\n", f"{FIVE}\n", f"{SEVEN}\n")
    second = (f"Q: 2 3 4 -> 20\n{FIVE}\n", TWENTY, NINE)
    assert sorted(pairs) == [first, second]
    strict = dataclasses.replace(RECIPE, margin=0.6)
    assert [row["chosen"] for row in rows("step_preference", recipe=strict)] == [TWENTY]
    hard = dataclasses.replace(strict, labels="hard")
    assert len(rows("step_preference", recipe=hard)) == 2


def test_step_preference_in_a_chat_has_the_steps_so_far_in_both_replies():
    replies = {
        row["chosen"][0]["content"]: row["rejected"][0]["content"] for row in rows("step_preference", None, CHAT)
    }
    assert replies == {FIVE: SEVEN, f"{FIVE}\n{TWENTY}": f"{FIVE}\n{NINE}"}


def test_kto():
    assert {(row["completion"], row["label"]) for row in rows("kto")} == {
        (f"{FIVE}\n{TWENTY}", True),
        (f"{FIVE}\n{NINE}", False),
        (f"{SEVEN}\n{FOURTEEN}", False),
    }


def test_stepwise_has_hard_labels_and_values_of_any_kind():
    for kind, value in (("soft", 0.5), ("hard", 1.0), ("progress", 0.5)):
        by_steps = {
            tuple(row["completions"]): row for row in rows("stepwise", recipe=dataclasses.replace(RECIPE, labels=kind))
        }
        row = by_steps[FIVE, TWENTY]
        assert (row["prompt"], row["labels"], row["values"]) == ("2 3 4 -> 20", [True, True], [value, 1.0])
        assert by_steps[FIVE, NINE]["labels"] == [True, False]
        assert by_steps[SEVEN, FOURTEEN]["labels"] == [False, False]


def test_a_step_without_a_value_has_none():
    simple = dataclasses.replace(RECIPE, labels="simple")
    by_steps = {tuple(row["completions"]): row["values"] for row in rows("stepwise", answering(5), simple)}
    assert by_steps[SEVEN, FOURTEEN] == [0.5, 1.0]
    assert by_steps[FIVE, TWENTY] == [0.0, None]


def test_math_shepherd_is_read_back_tag_by_tag():
    read = {}
    for row in rows("math_shepherd"):
        beginnings = up_to_each("ки", row["input"], GRADED.problem.question, row["input"].count("ки"))
        texts = [after.removeprefix(before) for before, after in pairwise(["2 3 4 -> 20 ", *beginnings])]
        marks = [row["label"][len(beginning.replace("ки", "x")) - 1] for beginning in beginnings]
        read[tuple(text.strip().removesuffix(" ки") for text in texts)] = "".join(marks)
        assert row["task"] == "countdown"
    assert read == {(FIVE, TWENTY): "++", (FIVE, NINE): "+-", (SEVEN, FOURTEEN): "--"}


def test_a_text_with_the_tag_of_math_shepherd_is_refused_by_name():
    with pytest.raises(InputError, match="problem p: 'коробки' contains ки") as error:
        rows("math_shepherd", tree(("коробки", 2)))
    assert "\n" not in str(error.value)


def test_rlhflow_answers_each_step():
    turns = {tuple(turn["content"] for turn in row["conversations"]) for row in rows("rlhflow")}
    assert (f"2 3 4 -> 20 {FIVE}", "+", NINE, "-") in turns
    assert (f"2 3 4 -> 20 {SEVEN}", "-", FOURTEEN, "-") in turns
    assert [turn["role"] for turn in rows("rlhflow")[0]["conversations"]] == ["user", "assistant"] * 2


def test_prm800k_has_the_siblings_beside_the_chosen_step_and_ends_at_the_first_error():
    read = {}
    for row in rows("prm800k"):
        steps = row["label"]["steps"]
        chosen = tuple(step["completions"][step["chosen_completion"]]["text"] for step in steps)
        ratings = [{one["text"]: one["rating"] for one in step["completions"]} for step in steps]
        read[chosen] = (ratings, row["label"]["finish_reason"], row["question"]["pre_generated_answer"])
        assert (row["question"]["problem"], row["question"]["ground_truth_answer"]) == ("2 3 4 -> 20", "20")
    first, second = {FIVE: 1, SEVEN: -1}, {TWENTY: 1, NINE: -1}
    assert read == {
        (FIVE, TWENTY): ([first, second], "solution", "20"),
        (FIVE, NINE): ([first, second], "found_error", "9"),
        (SEVEN,): ([first], "found_error", "14"),
    }


def test_verl():
    assert rows("verl", recipe=dataclasses.replace(CHAT, split="test")) == [
        {
            "data_source": "regrow/countdown",
            "prompt": chat("Count.", "Q: 2 3 4 -> 20"),
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": "20"},
            "extra_info": {"split": "test", "index": 7, "problem_id": "p"},
        }
    ]


@pytest.mark.parametrize(("answer", "said", "given", "score"), [(3, TWENTY, "20", 1.0), (4, NINE, "9", 0.0)])
def test_lm_eval_tells_what_the_search_answered(answer, said, given, score):
    [row] = rows("lm_eval", answering(answer))
    assert (row["doc_id"], row["target"], row["resps"]) == (7, "20", [[f"{FIVE}\n{said}"]])
    assert (row["filtered_resps"], row["exact_match"]) == ([given], score)
    assert row["arguments"]["gen_args_0"]["arg_0"] == "Q: 2 3 4 -> 20\n"


def test_a_tree_without_an_answer_scores_nothing():
    [row] = rows("lm_eval", answering(-1))
    assert (row["resps"], row["filtered_resps"], row["exact_match"]) == ([[""]], [""], 0.0)


def test_of_solutions_with_the_same_wording_one_is_kept():
    assert len(rows("sft", tree((TWENTY + " ", 1)))) == 1


def test_at_most_so_many_of_each_verdict_are_chosen_by_hash():
    verified = verified_trees(1, width=9)[0]
    all_of = rows("kto", verified, dataclasses.replace(RECIPE, per_problem=None))
    two = dataclasses.replace(RECIPE, per_problem=2)
    kept = rows("kto", verified, two)
    assert [row["label"] for row in kept].count(False) == 2 < [row["label"] for row in all_of].count(False)
    assert all(row in all_of for row in kept)
    seeds = [rows("kto", verified, dataclasses.replace(two, seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert seeds[0] == seeds[1] == kept
    assert any(other != kept for other in seeds)


def test_an_empty_last_step_is_left_out_and_its_verdict_stays():
    steps = [None, Step(FIVE), Step(TWENTY), Step("", end=StepEnd.FINAL)]
    verified = judged(GRADED, steps, [-1, 0, 1, 2])
    verified = type(verified).labelled(verified.tree, "20", {3: Outcome.CORRECT})
    assert [row["completions"] for row in rows("stepwise", verified)] == [[FIVE, TWENTY]]
    assert len(rows("prm800k", verified)[0]["label"]["steps"]) == 2


def test_a_solution_that_ended_too_early_was_given_up():
    steps = [None, Step(FIVE), Step(TWENTY, end=StepEnd.FINAL), Step(" ", end=StepEnd.FINAL)]
    given_up = {
        tuple(row["question"]["pre_generated_steps"]): row
        for row in rows("prm800k", judged(GRADED, steps, [-1, 0, 1, 1]))
    }
    assert given_up[FIVE,]["label"]["finish_reason"] == "give_up"
    assert given_up[FIVE, TWENTY]["label"]["finish_reason"] == "solution"


def test_what_timed_out_is_neither_correct_nor_wrong():
    verified = tree()
    late = type(verified).labelled(verified.tree, "20", verified.outcomes | {5: Outcome.TIMEOUT})
    assert len(rows("kto", late)) == 2
    assert len(rows("prm800k", late)) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_rows_have_the_columns_that_are_told_and_are_json(name):
    verified = verified_trees(3)
    for row in (row for one in verified for row in rows(name, one)):
        assert list(row) == list(FORMATS[name].columns)
        assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_the_task_of_these_tests_is_the_real_one():
    assert TASK.verify(GRADED, [FIVE, TWENTY]) is Outcome.CORRECT
