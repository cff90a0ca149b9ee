"""The in-process scorer: a value model read at every step of a solution in one forward pass."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from mcts.errors import InputError
from mcts.types import Score, Ticket, Values
from prm.calibration import value_from
from prm.checkpoint import fingerprint, read_config, read_tokenizer
from prm.encode import Encoded, Encoder
from prm.formats import format_of
from prm.model import StepModel

MIN_TOKENS = 128
"""Matrix kernels take another path for the few rows of a small batch, with other last bits. To them a token is a
row; no pass has fewer."""

LENGTH_BLOCK = 8
"""Every row is filled up to a multiple of so many tokens. Attention over an odd length lies at another alignment in
another place of the batch: on an AMD EPYC with MKL, lengths of 5 to 11 were seen to differ by some 1e-7."""

MIN_ROWS = MIN_TOKENS // LENGTH_BLOCK
"""Rows of the smallest pass over the shortest solutions."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    ticket: Ticket
    encoded: Encoded


class HfScorer:
    """Scores with a value model. Implements `mcts.ports.StepScorer`.

    On a CPU a value is bit for bit the same whatever else was in the batch and on however many threads. A row is padded
    by its own length alone, on the right, where causal attention does not look. Attention is eager. Small batches are
    filled up with ghost rows, and the last row is always one, since vector kernels treat the end of their input
    differently. Each pass runs on one thread, as kernels shared by several would be cut at other places for other
    batches; several passes run at once instead.

    Args:
        model: In evaluation mode.
        encoder: The model's input format.
        fingerprint: Digest of what decides a reply.
        value: From a logit to a value in [0, 1]; None is the model's activation.
        batch_rows: Most rows in one forward pass.
        threads: Passes at once on a CPU; None is torch's number.

    Raises:
        ValueError: `batch_rows` is below `MIN_ROWS`.
    """

    def __init__(
        self,
        model: StepModel,
        encoder: Encoder,
        fingerprint: str,
        *,
        value: Callable[[float], float] | None = None,
        batch_rows: int = 256,
        threads: int | None = None,
    ) -> None:
        if batch_rows < MIN_ROWS:
            raise InputError(f"PRM batch_rows={batch_rows}: expected at least {MIN_ROWS}")
        self._model = model
        self._encoder = encoder
        self._fingerprint = fingerprint
        self._value = value or model.value
        self._batch_rows = batch_rows
        self._device = next(model.parameters()).device
        self._longest = getattr(model.network.config, "max_position_embeddings", None)
        self._passes = (threads or torch.get_num_threads()) if self._device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self._passes, thread_name_prefix="prm")
        self._waiting: list[_Waiting] = []
        self._tokens_scored = 0

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        format: str | None = None,
        batch_rows: int = 256,
        threads: int | None = None,
        device: str = "cpu",
    ) -> Self:
        """Read a model directory.

        Args:
            path: What `prm.model.create` or `prm.train.train` wrote, or a published PRM.
            format: A name of `prm.formats`; None goes by the directory's config.json.

        Raises:
            InputError: No such format, the directory does not hold a model of it, or its calibration is damaged.
        """
        config, tokenizer = read_config(path), read_tokenizer(path)
        how = format_of(format, config)
        model = how.load(path, tokenizer).to(device)
        settings = () if format is None else (format,)
        encoder, digest = how.encoder(tokenizer, config), fingerprint(path, *settings)
        value = value_from(path, model.activation)
        return cls(model, encoder, digest, value=value, batch_rows=batch_rows, threads=threads)

    @property
    def fingerprint(self) -> str:
        """Digest of weights, configuration, tokenizer, calibration and scoring format."""
        return self._fingerprint

    @property
    def tokens_scored(self) -> int:
        """Tokens of all solutions read so far, ghost rows not counted."""
        return self._tokens_scored

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once. Raises `ValueError` if the state cannot be encoded."""
        state = request.state
        encoded = self._encoder.encode(state.problem.question, state.steps)
        self._waiting.append(_Waiting(ticket, encoded))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Score everything that waits, if there is any time for it. A value may be NaN if the model's is."""
        if timeout_s <= 0:
            return []
        waiting, self._waiting = self._waiting, []
        by_length: dict[int, list[_Waiting]] = defaultdict(list)
        replies: list[tuple[Ticket, Values]] = []
        for item in waiting:
            if item.encoded.reads:
                by_length[self._padded(len(item.encoded.token_ids))].append(item)
            else:
                replies.append((item.ticket, item.encoded.values({})))
        batches = [batch for length in sorted(by_length) for batch in self._split(by_length[length], length)]
        threads = torch.get_num_threads()
        try:
            replies += [reply for scored in self._pool.map(self._score, batches) for reply in scored]
        finally:
            torch.set_num_threads(threads)
        self._tokens_scored += sum(len(item.encoded.token_ids) for item in waiting)
        return replies

    def _padded(self, length: int) -> int:
        """The length of a row in its batch: the next whole block, as far as the model reads."""
        whole = -(-length // LENGTH_BLOCK) * LENGTH_BLOCK
        return whole if self._longest is None else max(length, min(whole, self._longest))

    def _split(self, rows: list[_Waiting], length: int) -> list[list[_Waiting]]:
        """Batches of rows of equal padded length: enough to occupy every thread, none too small or too large."""
        share = max(_fewest(length), math.ceil(len(rows) / self._passes) + 1)
        size = min(share, self._batch_rows) - 1
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    @torch.inference_mode()
    def _score(self, rows: Sequence[_Waiting]) -> list[tuple[Ticket, Values]]:
        """Score rows of equal padded length in one forward pass, on this thread alone."""
        torch.set_num_threads(1)
        length = self._padded(len(rows[0].encoded.token_ids))
        tokens = [ids + ids[-1:] * (length - len(ids)) for ids in (item.encoded.token_ids for item in rows)]
        tokens += tokens[-1:] * max(1, _fewest(length) - len(tokens))
        logits = self._model(torch.tensor(tokens, device=self._device)).tolist()
        replies = []
        for item, row in zip(rows, logits[: len(rows)], strict=True):
            read = {position: self._value(row[position]) for position in item.encoded.reads}
            replies.append((item.ticket, item.encoded.values(read)))
        return replies


def _fewest(length: int) -> int:
    """Rows that a pass over so long solutions has at least."""
    return max(2, -(-MIN_TOKENS // length))
