"""Batched decoding whose results do not depend on the batch, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache, PreTrainedModel

from policy.sampler import sample, streams, uniforms

ROW_BLOCK = 32
"""Every batch has a multiple of so many rows, filled up with ghosts: rows computed and thrown away.

A matrix product sums each row in an order that does not depend on the other rows, as long as the library takes the same
kernel. BLAS libraries switch kernels for few rows: results were seen to differ by some 1e-6 up to 2 rows (32 hidden
units), 5 rows (64 units) and 14 rows (128, 256 and 512 units, one thread), and to be bit-equal for every number tried
from 16 to 700. Whole blocks also leave no ragged edge to the kernels' tiles.
"""


@dataclass(slots=True)
class Row:
    """One continuation in the making.

    Attributes:
        prefix: Token ids it continues.
        seed: 64-bit seed of its request.
        sample: Which of the request's continuations this is.
        limit: Most tokens to sample, at least 1.
        stops_at_step: Whether it ends with the first token that ends a step.
        token_ids: Sampled tokens, the one that ended it included.
        logprobs: Their natural-log probabilities before temperature.
    """

    prefix: tuple[int, ...]
    seed: int
    sample: int
    temperature: float
    limit: int
    stops_at_step: bool
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


class Decoder:
    """Samples many rows at once from a causal language model.

    Rows of a batch have prefixes of equal length, so nothing is padded; the key-value cache lives as long as the batch.

    Args:
        model: In float32.
        ends_step: [V] tokens that end a step.
        ends_sequence: [V] tokens that end a solution.
        forbidden: [V] tokens that are never sampled.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        ends_step: NDArray[np.bool_],
        ends_sequence: NDArray[np.bool_],
        forbidden: NDArray[np.bool_],
    ) -> None:
        self._model = model
        self._ends_step = ends_step
        self._ends_sequence = ends_sequence
        self._forbidden = forbidden

    @torch.inference_mode()
    def decode(self, rows: Sequence[Row]) -> None:
        """Sample `rows` to their ends, in place. Their prefixes must be equally long."""
        keys = streams(
            np.array([row.seed for row in rows], np.uint64), np.array([row.sample for row in rows], np.uint64)
        )
        temperature = np.array([row.temperature for row in rows])
        limit = np.array([row.limit for row in rows])
        stops_at_step = np.array([row.stops_at_step for row in rows])

        # Place b of the batch holds rows[slots[b]]; not is_live[b] marks a ghost: finished, or there to fill a block.
        slots, is_live = fill_blocks(np.arange(len(rows)))
        cache, logits = self._prefill([row.prefix for row in rows], slots)
        for position in count():
            tokens, logprobs = sample(logits, temperature[slots], uniforms(keys[slots], position), self._forbidden)
            for b in np.flatnonzero(is_live):
                row = rows[slots[b]]
                row.token_ids.append(int(tokens[b]))
                row.logprobs.append(float(logprobs[b]))
            is_live &= ~(
                self._ends_sequence[tokens]
                | (self._ends_step[tokens] & stops_at_step[slots])
                | (position + 1 >= limit[slots])
            )
            live = np.flatnonzero(is_live)
            if live.size == 0:
                return
            if _whole_blocks(live.size) < slots.size:
                places, is_live = fill_blocks(live)
                slots, tokens = slots[places], tokens[places]
                cache.batch_select_indices(torch.from_numpy(places))
            logits = self._forward(tokens[:, None], cache)

    def _prefill(
        self, prefixes: Sequence[tuple[int, ...]], slots: NDArray[np.intp]
    ) -> tuple[DynamicCache, NDArray[np.float32]]:
        """Run the model over each distinct prefix once; the cache and the next token's logits for every slot."""
        distinct = {prefix: i for i, prefix in enumerate(dict.fromkeys(prefixes))}
        shared, _ = fill_blocks(np.arange(len(distinct)))
        cache = DynamicCache(config=self._model.config)
        logits = self._forward(np.array(list(distinct), np.int64)[shared], cache)
        places = np.array([distinct[prefix] for prefix in prefixes])[slots]
        if not np.array_equal(places, np.arange(len(logits))):
            cache.batch_select_indices(torch.from_numpy(places))
        return cache, logits[places]

    def _forward(self, tokens: NDArray[np.int64], cache: DynamicCache) -> NDArray[np.float32]:
        """Append `tokens` [B, T] to the cache; logits [B, V] after the last."""
        output = self._model(
            input_ids=torch.from_numpy(tokens), past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        logits: NDArray[np.float32] = output.logits[:, -1].numpy()
        return logits


def _whole_blocks(rows: int) -> int:
    return -(-rows // ROW_BLOCK) * ROW_BLOCK


def fill_blocks(places: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """`places` repeated to whole blocks, and which of them are not repetitions."""
    size = _whole_blocks(len(places))
    return np.resize(places, size), np.arange(size) < len(places)
