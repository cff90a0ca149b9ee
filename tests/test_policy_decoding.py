"""Rows of different lengths in one batch: each has the bits that it has alone."""

import random

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, Qwen2Config, Qwen2ForCausalLM

from mcts.errors import InputError
from policy import transformers_policy
from policy.decoding import PREFIX_BLOCK, Decoder, Row
from policy.ragged import KEY_BLOCK

WORDS = 61
NONE = np.zeros(WORDS, np.bool_)


@pytest.fixture(autouse=True)
def one_thread():
    """As the policy decodes: kernels shared by threads are cut at other places for other batches."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def decoder(kind, hidden, heads, key_heads):
    config, model = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}[kind]
    torch.manual_seed(0)
    sizes = {"vocab_size": WORDS, "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 2}
    heads = {"num_attention_heads": heads, "num_key_value_heads": key_heads}
    config = config(**sizes, **heads, max_position_embeddings=512, attn_implementation="eager")
    return Decoder(model(config).eval(), NONE, NONE, NONE)


def rows(rng, lengths, limit):
    return [
        Row(tuple(rng.randrange(WORDS) for _ in range(length)), rng.getrandbits(64), i % 3, 1.0, limit, False)
        for i, length in enumerate(lengths)
    ]


def fresh(row):
    return Row(row.prefix, row.seed, row.sample, row.temperature, row.limit, row.stops_at_step)


def decoded(decoder, some):
    decoder.decode(some)
    return [(row.token_ids, row.logprobs) for row in some]


@pytest.mark.parametrize(("kind", "hidden", "heads", "key_heads"), [("llama", 32, 2, 2), ("qwen2", 128, 4, 2)])
def test_a_row_has_the_same_bits_alone_and_beside_longer_and_shorter_ones(kind, hidden, heads, key_heads):
    model, rng = decoder(kind, hidden, heads, key_heads), random.Random(1)
    edges = [1, PREFIX_BLOCK - 1, PREFIX_BLOCK, PREFIX_BLOCK + 1, KEY_BLOCK - 1, KEY_BLOCK, KEY_BLOCK + 1]
    few = rows(rng, edges, limit=9)
    alone = [decoded(model, [fresh(row)])[0] for row in few]
    for longest in (20, 70, 300):
        company = rows(rng, [rng.randint(1, longest) for _ in range(40)], limit=11)
        together = [*map(fresh, few), *company]
        rng.shuffle(together)
        model.decode(together)
        assert [next((r.token_ids, r.logprobs) for r in together if r.seed == row.seed) for row in few] == alone


def test_log_probabilities_are_those_of_a_plain_forward_pass_over_each_row():
    model, rng = decoder("llama", 32, 2, 2), random.Random(2)
    some = rows(rng, [3, 40, 61, 63, 64, 130], limit=8)
    model.decode(some)
    for row in some:
        ids = torch.tensor([[*row.prefix, *row.token_ids]])
        with torch.inference_mode():
            told = model._model(ids).logits.log_softmax(-1)[0, len(row.prefix) - 1 : -1]
        expected = told[torch.arange(len(row.token_ids)), torch.tensor(row.token_ids)]
        np.testing.assert_allclose(row.logprobs, expected.numpy(), atol=2e-5)


def test_rows_of_all_lengths_share_their_passes():
    model, rng = decoder("llama", 32, 2, 2), random.Random(3)
    passes = []
    forward = model._model.forward
    model._model.forward = lambda *args, **kwargs: passes.append(kwargs["input_ids"].shape) or forward(*args, **kwargs)
    model.decode(rows(rng, range(2, 30), limit=6))
    assert passes == [(28, PREFIX_BLOCK)] + [(32, 1)] * 6


def test_a_sliding_window_bounds_the_context_and_layers_that_do_not_attend_are_refused():
    mistral = MistralConfig(max_position_embeddings=4096, sliding_window=256)
    assert transformers_policy._window(mistral) == 256
    assert transformers_policy._window(MistralConfig(max_position_embeddings=4096, sliding_window=None)) == 4096
    assert transformers_policy._window(Qwen2Config(max_position_embeddings=2048)) == 2048
    strange = Qwen2Config(max_position_embeddings=64)
    strange.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(InputError, match="layers of linear_attention, expected attention"):
        transformers_policy._window(strange)
