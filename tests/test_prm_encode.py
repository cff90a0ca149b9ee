import pytest
from hypothesis import given
from hypothesis import strategies as st
from prm_tiny import MAX_TOKENS, WORDS, state, tiny_tokenizer

from mcts.types import Step, StepEnd
from prm.encode import StepEncoder

TOKENIZER = tiny_tokenizer()
ENCODER = StepEncoder(TOKENIZER, max_tokens=MAX_TOKENS)
texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def words_of(token_ids):
    return TOKENIZER.convert_ids_to_tokens(list(token_ids))


def encode(encoder, *args, **kwargs):
    spelt = state(*args, **kwargs)
    return encoder.encode(spelt.problem.question, spelt.steps)


def test_a_finished_solution_ends_in_eos_and_every_position_closes_its_prefix():
    encoded = encode(ENCODER, "a + b ?", "a = c", "d", final=True)
    assert words_of(encoded.token_ids) == ["a", "+", "b", "?", "\n", "a", "=", "c", "\n", "d", "<eos>"]
    assert encoded.positions == (4, 8, 10)


def test_an_unfinished_solution_ends_in_the_delimiter():
    assert words_of(encode(ENCODER, "a", "b").token_ids) == ["a", "\n", "b", "\n"]


@given(texts, st.lists(texts, max_size=6), st.booleans())
def test_positions_are_those_of_a_hand_loop_and_prefixes_of_steps_are_prefixes_of_tokens(question, steps, final):
    encoded = encode(ENCODER, question, *steps, final=final and bool(steps))
    words, positions = [*question.split(), "\n"], []
    for k, text in enumerate(steps):
        positions.append(len(words) - 1)
        words += [*text.split(), "<eos>" if final and k == len(steps) - 1 else "\n"]
    positions.append(len(words) - 1)
    assert (words_of(encoded.token_ids), encoded.positions) == (words, tuple(positions))
    for k in range(len(steps)):
        prefix = encode(ENCODER, question, *steps[:k])
        assert encoded.token_ids[: len(prefix.token_ids)] == prefix.token_ids
        assert encoded.positions[: k + 1] == prefix.positions


def test_only_the_template_may_contain_special_tokens():
    encoder = StepEncoder(TOKENIZER, template="<pad> {question} =\n")
    assert words_of(encode(encoder, "a").token_ids) == ["<pad>", "a", "=", "\n"]


@pytest.mark.parametrize(
    ("question", "steps", "message"),
    [
        ("a zebra ?", ["b"], "unknown word 'zebra'"),
        ("a", ["b", "b lion"], "unknown word 'lion'"),
        ("a", ["b\nc"], "contains the step delimiter"),
        ("a", ["b <eos> c"], "contains the special token <eos>"),
        ("a <pad>", ["b"], "contains the special token <pad>"),
        ("a <unk>", ["b"], "contains the special token <unk>"),
    ],
)
def test_text_that_cannot_be_read_as_it_stands_is_refused(question, steps, message):
    with pytest.raises(ValueError, match=message) as caught:
        encode(ENCODER, question, *steps)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", [StepEnd.FINAL, StepEnd.TRUNCATED])
def test_nothing_may_follow_a_step_that_ended_the_solution(end):
    with pytest.raises(ValueError, match="expected no step after it"):
        ENCODER.encode("a", [Step("b", end=end), Step("c")])


def test_the_longest_readable_input_is_read_whole_and_one_token_more_is_refused():
    longest = ["a"] * ((MAX_TOKENS - 2) // 2)
    assert len(encode(ENCODER, "a", *longest).token_ids) == MAX_TOKENS
    with pytest.raises(ValueError, match=f"expected at most {MAX_TOKENS}"):
        encode(ENCODER, "a a", *longest)


@pytest.mark.parametrize(("template", "delimiter"), [("no place", "\n"), ("{question}\n", ""), ("{question}\n", " ")])
def test_an_unusable_format_is_refused(template, delimiter):
    with pytest.raises(ValueError, match="expected"):
        StepEncoder(TOKENIZER, template, delimiter)
