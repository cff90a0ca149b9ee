import pytest

from mcts.errors import InputError
from mcts.types import Message, Step, StepEnd
from policy.examples import Example, from_demonstration, from_steps
from policy.prompts import PromptFormat, ended
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


def test_a_chat_is_put_in_the_words_of_the_tokenizers_template():
    chat = PromptFormat("a {question}\n", chat=True, system="c")
    assert chat.messages("b") == [{"role": "system", "content": "c"}, {"role": "user", "content": "a b"}]
    with pytest.raises(InputError, match="has no chat template"):
        chat.encode_prompt(TOKENIZER, "b")
    talker = build_tokenizer(["a", "b", "c", "Q:"])
    talker.chat_template = (
        "{% for m in messages %}{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}Q:{% endif %}"
    )
    assert chat.encode_prompt(talker, "b") == ids("c\na b\nQ:")
    before = (Message("user", "a"), Message("assistant", "b c"))
    assert chat.encode_prompt(talker, "b", before) == ids("c\na\nb c\na b\nQ:")
    assert chat.encode_prompt(talker, "b", (Message("system", "b"),)) == ids("b\na b\nQ:")


FINAL = PromptFormat(final=r"^#", stop=("\nQ:", "Q: "))
MORE = StepEnd.DELIMITER


def test_a_solution_is_over_with_the_first_step_that_says_so():
    steps = (Step("a", (1,), (-1.0,), MORE), Step("# b", (2, 3), (-2.0, -3.0), MORE))
    done = Step("# b", (2, 3), (-2.0, -3.0), StepEnd.FINAL)
    assert ended(steps, FINAL) == (steps[0], done)
    assert ended(steps, FORMAT) == steps
    assert ended(steps[:1], FINAL) == steps[:1]


def test_what_was_sampled_beyond_the_end_is_counted_and_not_read():
    beyond = (
        Step("# b", (2,), (-2.0,), MORE),
        Step("c", (3,), (-3.0,), MORE),
        Step("Q: d", (4, 5), (-4.0, -5.0), MORE),
    )
    assert ended(beyond, FINAL) == (Step("# b\nc", (2, 3, 4, 5), (-2.0, -3.0, -4.0, -5.0), StepEnd.FINAL),)
    assert ended((Step("Q: d", (4,)),), FINAL) == (Step("", (4,), (), StepEnd.FINAL),)


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


@pytest.mark.parametrize(
    "fields",
    [{"template": "no place"}, {"delimiter": ""}, {"system": "Be brief."}, {"stop": ("",)}, {"final": "("}],
)
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
