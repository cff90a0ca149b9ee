"""The deterministic policy: a Hugging Face model in process, the same reply to a request in any company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from mcts.errors import InputError
from mcts.types import Proposal, Propose, StepEnd, Ticket, Until
from policy import checkpoint
from policy.decoding import ROW_BLOCK, Decoder, Row
from policy.prompts import PromptFormat
from policy.token_states import TokenStates
from policy.vocabulary import Vocabulary


class TransformersPolicy:
    """Implements `mcts.ports.Policy`. Tokens and log-probabilities of a request are bit-equal whatever waits beside it.

    A continuation that fills the model's context window (or a layer's sliding one) ends as truncated, like one that
    meets `max_tokens`; a state that fills it already is answered with an empty truncated step. Continuations asked for
    with `Until.END` always end as final or truncated.

    Args:
        model: A causal language model in float32.
        tokenizer: Its tokenizer.
        prompt: How questions are put and what ends a step.
        batch_rows: Most continuations computed at once.
        fingerprint: Digest of all of these but `batch_rows`, which decides no reply.

    Raises:
        InputError: No token ends a step or a sequence, `batch_rows` is not positive, or a layer does not attend.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        prompt: PromptFormat,
        batch_rows: int,
        fingerprint: str,
    ) -> None:
        if batch_rows < 1:
            raise InputError(f"policy batch_rows: is {batch_rows}, expected at least 1")
        self._tokenizer = tokenizer
        self._batch_rows = batch_rows
        self._fingerprint = fingerprint
        size, generation = model.config.vocab_size, model.generation_config
        named = generation.eos_token_id if generation and generation.eos_token_id is not None else []
        words = Vocabulary.of(tokenizer, prompt.delimiter, size, named)
        self._states = TokenStates(tokenizer, prompt, words, _window(model.config))
        masks = [_mask(ids, size) for ids in (words.ends_step, words.ends_sequence, words.forbidden)]
        self._decoder = Decoder(model.eval(), *masks)
        self._passes = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self._passes, thread_name_prefix="policy")
        self._waiting: list[tuple[Ticket, Propose, tuple[int, ...]]] = []
        self._tokens_generated = 0

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        prompt: PromptFormat = PromptFormat(),  # noqa: B008 - frozen
        batch_rows: int = 512,
        threads: int | None = None,
    ) -> TransformersPolicy:
        """Load a Hugging Face directory: safetensors weights, `config.json`, `tokenizer.json`. Nothing is downloaded.

        Args:
            path: The directory.
            prompt: How questions are put and what ends a step.
            batch_rows: Most continuations computed at once.
            threads: Sets torch's number of threads, for the whole process.

        Raises:
            InputError: The directory is missing or cannot be used.
        """
        path = Path(path)
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(
            checkpoint.load_model(path, attention="eager"),
            checkpoint.load_tokenizer(path),
            prompt=prompt,
            batch_rows=batch_rows,
            fingerprint=checkpoint.digest(path, prompt.key),
        )

    @property
    def fingerprint(self) -> str:
        """Digest of weights, model configuration, tokenizer and prompt format."""
        return self._fingerprint

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies so far."""
        return self._tokens_generated

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Queue a request.

        Raises:
            InputError: The request cannot be answered: bad numbers, unknown words, or a state that nothing can follow.
        """
        _check(request)
        self._waiting.append((ticket, request, self._states.prefix(request.state)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Answer everything that waits, if there is any time for it; how much makes no difference."""
        if timeout_s <= 0:
            return []
        waiting, self._waiting = self._waiting, []
        rows = [self._rows(request, prefix) for _, request, prefix in waiting]
        ready = sorted((row for some in rows for row in some if row.limit > 0), key=lambda row: len(row.prefix))
        threads = torch.get_num_threads()
        try:
            list(self._pool.map(self._decode, self._split(ready)))
        finally:
            torch.set_num_threads(threads)
        replies = []
        for (ticket, request, _), request_rows in zip(waiting, rows, strict=True):
            read = partial(self._states.continuation, until=request.until)
            replies.append((ticket, tuple(read(row.token_ids, row.logprobs) for row in request_rows)))
            self._tokens_generated += sum(len(row.token_ids) for row in request_rows)
        return replies

    def _split(self, rows: list[Row]) -> list[list[Row]]:
        """Batches of rows: enough to occupy every thread, none too large."""
        size = min(self._batch_rows, max(ROW_BLOCK, -(-len(rows) // self._passes)))
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _decode(self, batch: list[Row]) -> None:
        """Decode on this thread alone: kernels shared by several threads are cut at other places for other batches."""
        torch.set_num_threads(1)
        self._decoder.decode(batch)

    def _rows(self, request: Propose, prefix: tuple[int, ...]) -> list[Row]:
        limit = min(request.max_tokens, self._states.window - len(prefix))
        is_step = request.until is Until.STEP
        return [Row(prefix, request.seed, i, request.temperature, limit, is_step) for i in range(request.width)]


def _window(config: PretrainedConfig) -> int:
    """The longest sequence in which every layer attends to everything before. Raises `InputError` if one never does."""
    kinds = set(getattr(config, "layer_types", None) or ())
    if strange := kinds - {"full_attention", "sliding_attention"}:
        raise InputError(f"policy: layers of {min(strange)}, expected attention; policy=vllm may run them")
    slides = "sliding_attention" in kinds or (not kinds and getattr(config, "sliding_window", None))
    longest = int(config.max_position_embeddings)
    return min(longest, int(config.sliding_window)) if slides else longest


def _check(request: Propose) -> None:
    if request.width < 1 or request.max_tokens < 1 or not 0 <= request.temperature < float("inf"):
        raise InputError(
            f"request: width {request.width}, max_tokens {request.max_tokens}, temperature {request.temperature}; "
            "expected at least 1, at least 1, and 0 or more"
        )
    if not 0 <= request.seed < 2**64:
        raise InputError(f"request: seed {request.seed}, expected an unsigned 64-bit number")
    for i, step in enumerate(request.state.steps):
        if step.end is not StepEnd.DELIMITER:
            raise InputError(f"state: step {i} is {step.end.value}, expected a step that another can follow")
        if not step.token_ids:
            raise InputError(f"state: step {i} {step.text!r} has no token ids, expected them as sampled or encoded")


def _mask(ids: frozenset[int], size: int) -> NDArray[np.bool_]:
    """[V] which tokens are among `ids`."""
    mask = np.zeros(size, np.bool_)
    mask[list(ids)] = True
    return mask
