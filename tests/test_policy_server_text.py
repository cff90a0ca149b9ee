"""How a server's text becomes steps: their ends, their tokens, and what is known where little is told."""

from dataclasses import replace

import pytest

from mcts.types import Problem, Propose, State, Step, StepEnd, Until
from policy.endpoints import BadReplyError
from policy.prompts import PromptFormat
from policy.server_settings import ServerSettings
from policy.server_text import TextDialect, Token, dealt, hashed

ASKED = Propose(State(Problem("p", "q")), 1, Until.STEP, 1.0, 8, 0)
WORD = {"tokens": ["w"], "token_logprobs": [-0.5]}


def dialect(delimiter="\n", *, tells_ids=False, final=r"\\boxed\{", stop=(), **settings):
    prompt = PromptFormat(delimiter=delimiter, final=final, stop=stop)
    return TextDialect(prompt, ServerSettings(**settings), tells_ids=tells_ids)


def read(choice, until=Until.STEP, *, usage=None, of=None, others=0, **top):
    choice = {"text": "w", "finish_reason": "stop", "logprobs": WORD} | choice
    reply = {"choices": [choice] * (1 + others), "usage": usage} | top
    return (of or dialect()).read(choice, reply, until)


@pytest.mark.parametrize(
    ("told", "end"),
    [
        ({"stop_reason": "\n"}, StepEnd.DELIMITER),
        ({"stop_reason": None}, StepEnd.FINAL),
        ({"stop_reason": 151643}, StepEnd.FINAL),
        ({"matched_stop": "\n"}, StepEnd.DELIMITER),
        ({"matched_stop": 2}, StepEnd.FINAL),
        ({"stopping_word": "\n"}, StepEnd.DELIMITER),
        ({"stopping_word": ""}, StepEnd.FINAL),
        ({}, StepEnd.DELIMITER),
        ({"text": r"so \boxed{5}"}, StepEnd.FINAL),
        ({"text": r"so \boxed{5}", "stop_reason": "\n"}, StepEnd.FINAL),
        ({"finish_reason": "length", "stop_reason": None}, StepEnd.TRUNCATED),
        ({"finish_reason": "content_filter"}, StepEnd.TRUNCATED),
        ({"text": ""}, StepEnd.TRUNCATED),
        ({"text": "", "stop_reason": None}, StepEnd.FINAL),
        ({"text": "", "stop_reason": "\n"}, StepEnd.DELIMITER),
    ],
)
def test_a_step_ends_as_the_server_tells_or_else_as_it_reads(told, end):
    (step,) = read(told)
    assert (step.text, step.end) == (told.get("text", "w"), end)


def test_llama_cpp_tells_beside_the_choices():
    assert read({}, stopping_word="\n")[0].end is StepEnd.DELIMITER
    assert read({}, stopping_word="")[0].end is StepEnd.FINAL


def test_the_words_of_a_final_step_are_the_users_to_choose():
    assert read({"text": "= 5"}, of=dialect(final="^="))[0].end is StepEnd.FINAL


def test_what_begins_something_new_is_a_stop_and_ends_the_solution():
    few_shot = dialect(stop=("\nQuestion:",))
    assert few_shot.body(ASKED)["stop"] == ["\n", "\nQuestion:"]
    assert few_shot.body(replace(ASKED, until=Until.END))["stop"] == ["\nQuestion:"]
    assert read({"stop_reason": "\nQuestion:"}, of=few_shot)[0].end is StepEnd.FINAL
    assert read({"stop_reason": "\n"}, of=few_shot)[0].end is StepEnd.DELIMITER


def test_blank_steps_say_nothing_and_a_stop_that_was_ignored_ends_the_step():
    assert read({"text": "  ", "stop_reason": None})[0].text == ""
    assert [step.text for step in read({"text": "one\ntwo", "stop_reason": "\n"})] == ["one"]


def test_a_whole_solution_is_cut_at_each_delimiter():
    words = ["one", " more", "\n", "two", ".\n\n", "three", "<eos>"]
    logprobs = {"tokens": words, "token_logprobs": [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0]}
    steps = read({"text": "one more\ntwo.\n\nthree", "logprobs": logprobs, "token_ids": [*range(7)]}, Until.END)
    assert steps == (
        Step("one more", (0, 1, 2), (-1.0, -2.0, -3.0), StepEnd.DELIMITER),
        Step("two.", (3, 4), (-4.0, -5.0), StepEnd.DELIMITER),
        Step("three", (5, 6), (-6.0, -7.0), StepEnd.FINAL),
    )
    (*_, last) = read({"text": "one\ntwo", "finish_reason": "length", "logprobs": logprobs}, Until.END)
    assert (last.text, last.end) == ("two", StepEnd.TRUNCATED)


def test_a_delimiter_of_several_tokens_is_seen():
    tokens = [Token(0, "a"), Token(1, "\n"), Token(2, "\n"), Token(3, "a long word")]
    assert dealt(tokens, ["a", "a long word"], "\n\n") == [tokens[:3], tokens[3:]]


def test_tokens_that_hide_the_delimiter_are_shared_out_by_length():
    tokens = [Token(i, "Ċ") for i in range(10)]
    parts = dealt(tokens, ["x" * 29, "y" * 60, "z" * 9], "\n")
    assert [len(part) for part in parts] == [3, 6, 1]
    assert [token for part in parts for token in part] == tokens
    assert dealt([], ["a", "b"], "\n") == [[], []]


def test_tokens_have_the_servers_ids_or_a_hash_of_their_text_or_are_counted():
    assert read({"token_ids": [9]})[0].token_ids == (9,)
    assert read({"token_ids": [9, 8], "logprobs": None})[0] == Step("w", (9, 8), (), StepEnd.DELIMITER)
    assert read({})[0] == Step("w", (hashed("w"),), (-0.5,), StepEnd.DELIMITER)
    counted = read({"logprobs": None}, usage={"completion_tokens": 3})[0]
    assert (len(counted.token_ids), counted.logprobs) == (3, ())
    assert 0 <= hashed("w") < 2**31
    assert hashed("w") != hashed("v")


def test_a_probability_that_is_missing_makes_all_of_the_step_unknown():
    for missing in (None, float("nan"), float("-inf")):
        (step,) = read({"logprobs": {"tokens": ["w", "\n"], "token_logprobs": [missing, -0.5]}})
        assert (len(step.token_ids), step.logprobs) == (2, ())


@pytest.mark.parametrize(
    "garbled",
    [
        {"text": 5},
        {"token_ids": ["a"]},
        {"token_ids": [1, 2]},
        {"logprobs": {"tokens": ["w"]}},
        {"logprobs": {"tokens": ["w"], "token_logprobs": ["often"]}},
        {"logprobs": {"content": [{"logprob": -1.0}]}},
        {"finish_reason": 3},
    ],
)
def test_fields_that_are_not_what_they_should_be_are_an_error(garbled):
    with pytest.raises((BadReplyError, LookupError, TypeError, ValueError, AttributeError)):
        read(garbled)


def test_tokens_that_cannot_be_told_apart_by_choice_are_not_guessed():
    with pytest.raises(BadReplyError, match=r"policy\.server\.logprobs=false"):
        read({"logprobs": None}, usage={"completion_tokens": 6}, others=1)


def test_only_what_the_server_takes_is_asked_for():
    assert "return_token_ids" not in dialect().body(ASKED)
    assert dialect(tells_ids=True).body(ASKED)["return_token_ids"] is True
    assert "logprobs" not in dialect(logprobs=False).body(ASKED)
