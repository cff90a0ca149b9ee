"""A policy directory small enough for tests: Qwen2 with a word-level tokenizer."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from mcts.types import Problem, State, Step, StepEnd

WORDS = ("a", "b", "c", "d", "+", "=", "?")
MAX_TOKENS = 64


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(("<pad>", "<eos>", "<unk>", "\n", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")


def write_policy(folder: Path, *, tied: bool = True, hidden: int = 32, intermediate: int = 64, layers: int = 2) -> Path:
    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        policy = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=len(tokenizer),
                hidden_size=hidden,
                intermediate_size=intermediate,
                num_hidden_layers=layers,
                num_attention_heads=2,
                num_key_value_heads=2,
                max_position_embeddings=MAX_TOKENS,
                tie_word_embeddings=tied,
                initializer_range=0.2,
            )
        )
    policy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def state(question: str, *steps: str, final: bool = False, problem: str = "p") -> State:
    """A state; with `final`, its last step completes the solution."""
    ends = [StepEnd.DELIMITER] * len(steps)
    if final:
        ends[-1] = StepEnd.FINAL
    return State(Problem(problem, question), tuple(Step(text, end=end) for text, end in zip(steps, ends, strict=True)))
