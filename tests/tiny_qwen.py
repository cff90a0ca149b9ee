"""Qwen2.5's policy and PRM in small: its architectures, random weights, a tokenizer and a chat template of its kind."""

from pathlib import Path

import torch
from prm_published import CHATML
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen2ForTokenClassification

from policy.examples import from_steps
from policy.prompts import PromptFormat
from policy.train import TrainPolicy, train

END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", END)
SIZE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
SOLUTION = ("The number is told.", "\\[", "\\boxed{%d}", "\\]")


def write_policy(folder: Path, prompt: PromptFormat, questions: list[str], answers: tuple[int, ...]) -> None:
    """A policy that has learned to say one of the answers, whatever is asked, in display mathematics as Qwen does."""
    tokenizer = written(
        Qwen2ForCausalLM, folder, [*questions, *(text % 7 if "%" in text else text for text in SOLUTION)]
    )
    lessons = []
    for i, question in enumerate(questions):
        steps = [text % answers[i % len(answers)] if "%" in text else text for text in SOLUTION]
        lessons.append(from_steps(tokenizer, prompt, question, prompt.encode_steps(tokenizer, steps, is_complete=True)))
    train(folder, lessons * 8, folder, TrainPolicy(max_steps=60, batch_size=16, learning_rate=1e-2), seed=0)


def write_prm(folder: Path, questions: list[str]) -> None:
    """A token classifier as TRL's PRM trainer leaves them."""
    written(Qwen2ForTokenClassification, folder, questions, num_labels=2)


def written(network: type, folder: Path, texts: list[str], **more: int) -> PreTrainedTokenizerFast:
    """A random model of a class, with a byte-level tokenizer learned from texts."""
    tokenizer = tokenizer_of(texts)
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network(
            Qwen2Config(vocab_size=len(tokenizer), tie_word_embeddings=True, **SIZE, **ids, **more)
        ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE; a mark and the new lines after it are one piece, as in Qwen2's."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([f"{text}\n" for text in texts], trainer)
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=SPECIAL[0], chat_template=CHATML
    )
