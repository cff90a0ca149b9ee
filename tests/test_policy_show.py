"""Lessons as text."""

import pytest

from policy.base import PolicySize, create
from policy.checkpoint import load_tokenizer
from policy.examples import Example, from_demonstration
from policy.lessons import Judged, Pair
from policy.losses import Dpo, Kto, Laser, Supervised
from policy.prompts import PromptFormat
from policy.show import shown


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy") / "start"
    create(tuple("abcd"), PolicySize(hidden=16, layers=1, heads=2, intermediate=16), folder, seed=1)
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def example(tokenizer):
    return from_demonstration(tokenizer, PromptFormat(), "a b", ["c", "d"])


def test_learned_tokens_stand_in_brackets(tokenizer, example):
    end = tokenizer.eos_token
    assert shown(tokenizer, Supervised(), [example]) == f"example, weight 1\n  a b⏎ ⟦c⏎d {end}⟧"
    gap = Example(example.token_ids, (True, False, False, True, False, True, True), weight=0.5)
    assert shown(tokenizer, Supervised(), [gap]) == f"example, weight 0.5\n  a b⏎ ⟦c⟧ ⏎ ⟦d {end}⟧"


def test_what_a_loss_reads_of_a_lesson_is_shown(tokenizer, example):
    other = from_demonstration(tokenizer, PromptFormat(), "a b", ["d"])
    end, pad = tokenizer.eos_token, tokenizer.pad_token
    pair = shown(tokenizer, Dpo(), [Pair(example, other, 0.75)] * 9, count=1).split("\n")
    assert pair == [
        "pair, chosen before rejected with probability 0.75",
        f"  a b⏎ ⟦c⏎d {end}⟧",
        f"  a b⏎ ⟦d {end}⟧",
    ]
    loss = Laser(token=tokenizer.pad_token_id)
    judged = shown(tokenizer, loss, [Judged(other, True), Judged(other, False)]).split("\n")
    assert judged == [
        "good solution",
        f"  a b⏎ ⟦d {end} {pad}⟧",
        "bad solution",
        f"  a b⏎d {end} ⟦{pad}⟧",
    ]
    assert shown(tokenizer, Kto(), [Judged(other, True)]) == f"good solution\n  a b⏎ ⟦d {end}⟧"
