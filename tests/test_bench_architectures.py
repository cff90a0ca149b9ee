"""Reckoned memory beside what transformers and torch really take."""

import architectures
import pytest
import torch
from architectures import LLAMA_8B, QWEN_05B, QWEN_7B, QWEN_15B, QWEN_72B, Architecture, cached_tokens, training
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

SMALL = Architecture("small", 64, 160, 6, 4, 2, 512, tied=True)
TOKENS = 128


def model_of(one):
    kind, config = (Qwen2ForCausalLM, Qwen2Config) if one.biased else (LlamaForCausalLM, LlamaConfig)
    size = {"hidden_size": one.hidden, "intermediate_size": one.intermediate, "num_hidden_layers": one.layers}
    heads = {"num_attention_heads": one.heads, "num_key_value_heads": one.key_heads}
    return kind(config(vocab_size=one.vocabulary, tie_word_embeddings=one.tied, **size, **heads))


def saved_for_backward(model):
    """Bytes that a pass in bfloat16 keeps beside the parameters, and those of their bfloat16 copies."""
    parameters = {each.data_ptr() for each in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    ids = torch.randint(0, SMALL.vocabulary, (2, TOKENS // 2), generator=torch.Generator().manual_seed(0))
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=ids).logits.float()
        cross_entropy(logits.flatten(0, 1), ids.flatten())
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(
    ("one", "billions"),
    [(QWEN_05B, 0.494), (QWEN_15B, 1.544), (QWEN_7B, 7.616), (QWEN_72B, 72.706), (LLAMA_8B, 8.030), (SMALL, None)],
)
def test_parameters_are_those_of_the_model(one, billions):
    with torch.device("meta"):
        assert one.parameters == sum(each.numel() for each in model_of(one).parameters())
    assert billions is None or round(one.parameters / 1e9, 3) == billions


@pytest.mark.parametrize("rank", [0, 4])
def test_what_a_pass_keeps_is_as_reckoned(rank):
    model = model_of(SMALL)
    if rank:
        model = get_peft_model(model, LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM"))
        assert SMALL.adapter(rank) == sum(each.numel() for each in model.parameters() if each.requires_grad)
    told = training(SMALL, TOKENS, rank=rank)
    # Of the 10 bytes a word of the vocabulary, the log-probabilities' 4 are there before the backward pass begins.
    reckoned = told.copies + told.activations - 6 * TOKENS * SMALL.vocabulary
    assert saved_for_backward(model) == pytest.approx(reckoned, rel=0.1)


def test_the_cache_is_as_large_as_the_models_own():
    model = model_of(SMALL).bfloat16()
    cache = model(input_ids=torch.zeros(1, TOKENS, dtype=torch.long), use_cache=True).past_key_values
    size = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert SMALL.cache_bytes * TOKENS == size


def test_weights_moments_and_gradients_are_counted_once_and_a_cache_only_where_there_is_room():
    full, adapted = training(QWEN_15B, 0), training(QWEN_15B, 0, rank=32)
    assert full.together == 18 * QWEN_15B.parameters
    assert adapted.together == 6 * QWEN_15B.parameters + 18 * QWEN_15B.adapter(32)
    assert cached_tokens(QWEN_7B, 12 * architectures.GIB, 1.0) == 0
    two = cached_tokens(QWEN_72B, 80 * architectures.GIB, 0.9, devices=4)
    assert 0 < two < cached_tokens(QWEN_72B, 80 * architectures.GIB, 0.9, devices=8) / 2
