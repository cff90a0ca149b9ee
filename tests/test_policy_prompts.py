import pytest

from mcts.types import Step, StepEnd
from policy.examples import Example, from_demonstration, from_steps
from policy.prompts import PromptFormat
from policy.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer(["a", "b", "c", "Q:"])
NEWLINE, EOS = TOKENIZER.convert_tokens_to_ids("\n"), TOKENIZER.eos_token_id
FORMAT = PromptFormat()


def ids(text):
    return tuple(TOKENIZER(text)["input_ids"])


def test_a_prompt_is_the_question_and_a_newline():
    assert FORMAT.encode_prompt(TOKENIZER, "a b") == ids("a b\n")


def test_only_the_place_of_the_question_is_filled_in():
    assert PromptFormat("{x} {question} \\boxed{}").render("{y}") == "{x} {y} \\boxed{}"


def test_unknown_words_are_named():
    with pytest.raises(ValueError, match=r"does not know 'seven', 'ate'$"):
        FORMAT.encode_prompt(TOKENIZER, "a seven b ate")
    with pytest.raises(ValueError, match=r"does not know 'nine'$"):
        FORMAT.encode_steps(TOKENIZER, ["a nine"], is_complete=False)


def test_steps_of_an_unfinished_solution_end_in_the_delimiter():
    assert FORMAT.encode_steps(TOKENIZER, ["a b", "c"], is_complete=False) == (
        Step("a b", (*ids("a b"), NEWLINE)),
        Step("c", (*ids("c"), NEWLINE)),
    )


def test_the_last_step_of_a_complete_solution_ends_in_end_of_sequence():
    assert FORMAT.encode_steps(TOKENIZER, ["a b", "c"], is_complete=True) == (
        Step("a b", (*ids("a b"), NEWLINE)),
        Step("c", (*ids("c"), EOS), end=StepEnd.FINAL),
    )


def test_no_steps_are_encoded_as_none():
    assert FORMAT.encode_steps(TOKENIZER, [], is_complete=True) == ()


def test_a_step_that_contains_the_delimiter_is_refused():
    with pytest.raises(ValueError, match=r"step 1 .*contains the step delimiter"):
        FORMAT.encode_steps(TOKENIZER, ["a", "b\nc"], is_complete=False)


@pytest.mark.parametrize("fields", [{"template": "no place"}, {"delimiter": ""}])
def test_a_format_that_cannot_work_is_refused(fields):
    with pytest.raises(ValueError, match="prompt"):
        PromptFormat(**fields)


def test_a_demonstration_is_learnt_from_behind_the_prompt():
    example = from_demonstration(TOKENIZER, FORMAT, "a b", ["c", "a"])
    assert example.token_ids == (*ids("a b\nc\na"), EOS)
    assert example.loss_mask == (False, False, False, True, True, True, True)


def test_sampled_steps_are_learnt_from_by_their_own_tokens():
    odd = (Step("c", (7, 7, NEWLINE)), Step("a", (5, EOS), end=StepEnd.FINAL))
    assert from_steps(TOKENIZER, FORMAT, "a", odd).token_ids == (*ids("a\n"), 7, 7, NEWLINE, 5, EOS)


def test_steps_without_tokens_are_not_learnt_from():
    with pytest.raises(ValueError, match="step 0 'c': carries no token ids"):
        from_steps(TOKENIZER, FORMAT, "a", [Step("c")])


def test_an_example_has_a_mask_of_its_own_length():
    with pytest.raises(ValueError, match="2 tokens but a loss mask of 1"):
        Example((1, 2), (True,))
