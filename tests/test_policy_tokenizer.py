import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from policy.base import PolicySize, create
from policy.checkpoint import load_tokenizer
from policy.tokenizer import build_tokenizer

WORDS = ("a", "12", "=", "-3.5", "##b", "Ünï", "</s>", "'s", "a12")
TOKENIZER = build_tokenizer(WORDS)

texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), max_size=5).map("\n".join)


@given(texts)
def test_what_was_encoded_decodes_to_the_same_text(text):
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


@given(texts)
def test_a_word_is_one_token_and_a_newline_is_one_token(text):
    assert len(TOKENIZER(text)["input_ids"]) == len(text.split()) + text.count("\n")


@pytest.mark.parametrize("load", [load_tokenizer, AutoTokenizer.from_pretrained])
def test_every_loader_reads_the_saved_tokenizer_back(tmp_path, load):
    create(WORDS, PolicySize(hidden=8, layers=1, heads=1, intermediate=8), tmp_path / "policy", seed=0)
    loaded = load(tmp_path / "policy")
    text = "a 12\n##b </s>\n\n= Ünï"
    assert loaded(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == text
    assert loaded.eos_token_id == TOKENIZER.eos_token_id


def test_special_tokens_can_be_left_out_of_the_text():
    ids = [*TOKENIZER("a 12\n=")["input_ids"], TOKENIZER.eos_token_id, TOKENIZER.pad_token_id]
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "a 12\n="


@pytest.mark.parametrize("word", ["", "two words", " lead", "tab\t", "<eos>", "x<pad>y"])
def test_a_word_that_could_not_round_trip_is_refused(word):
    with pytest.raises(ValueError, match="vocabulary word"):
        build_tokenizer(["a", word])
