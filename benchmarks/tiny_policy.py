"""A policy of word problems that fits a laptop: to show a pipeline with, not to solve anything.

    python benchmarks/tiny_policy.py TRAIN.jsonl OUT [--steps 600]

Fits a byte-level tokenizer and a small Llama (some 2 M parameters) to the solutions of a file with `question` and
`answer` as GSM8K has them. It is asked in chat: paragraphs are steps, and the answer stands in a box.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from policy.checkpoint import save
from policy.examples import from_demonstration
from policy.train import TrainPolicy, train
from regrow.build import prompt_of
from regrow.compose import NO_OUTPUT, run_composed
from regrow.config import Config
from regrow.progress import track
from regrow.tasks.sources import rows

END, PAD = "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = 2048
_CALCULATION = re.compile(r"<<.*?>>")


def solution(text: str) -> list[str]:
    """The lines of a solution without their calculator notes, the answer in a box."""
    lines = [line.strip() for line in _CALCULATION.sub("", text).splitlines() if line.strip()]
    return [re.sub(r"^####\s*(.+)$", r"The answer is \\boxed{\1}.", line) for line in lines]


def create(texts: list[str], out: Path) -> PreTrainedTokenizerFast:
    """An untrained model and the tokenizer of the texts."""
    bytes_of = ByteLevelBPETokenizer()
    special = [END, PAD, "<|system|>", "<|user|>", "<|assistant|>"]
    bytes_of.train_from_iterator([*texts, "\n\n"] * 2, vocab_size=WORDS, special_tokens=special, show_progress=False)
    bytes_of.add_tokens(["\n\n"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_of._tokenizer, eos_token=END, pad_token=PAD)
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    save(LlamaForCausalLM(shape), tokenizer, out)
    return tokenizer


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    settings = parser.parse_args()
    pairs = [(row.fields["question"], solution(row.fields["answer"])) for row in rows(settings.source)]

    def job(config: Config) -> None:
        prompt = prompt_of(config)
        with tempfile.TemporaryDirectory() as folder, track("tiny policy") as advance:
            texts = [text for question, steps in pairs for text in (prompt.render(question), "\n\n".join(steps))]
            tokenizer = create(texts, Path(folder) / "start")
            examples = [from_demonstration(tokenizer, prompt, question, steps) for question, steps in pairs]
            how = TrainPolicy(learning_rate=2e-3, max_steps=settings.steps, batch_size=16)

            def told(step: int, total: int, loss: float) -> None:
                advance(step, f"loss {loss:.3f}", total)

            train(Path(folder) / "start", examples, settings.out, how, seed=0, progress=told)

    run_composed("search", [*NO_OUTPUT, "task=gsm8k"], job)


if __name__ == "__main__":
    main()
