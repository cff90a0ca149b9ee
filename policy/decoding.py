"""Batched decoding whose results do not depend on the batch, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache, PreTrainedModel

from policy.ragged import RaggedCache
from policy.sampler import sample, streams, uniforms

ROW_BLOCK = 32
"""Every batch has a multiple of so many rows, filled up with ghosts: rows computed and thrown away.

A matrix product sums each row in an order that does not depend on the other rows, as long as the library takes the same
kernel. BLAS libraries switch kernels for few rows: results were seen to differ by some 1e-6 up to 2 rows (32 hidden
units), 5 rows (64 units) and 14 rows (128, 256 and 512 units, one thread), and to be bit-equal for every number tried
from 16 to 700. Whole blocks also leave no ragged edge to the kernels' tiles.
"""

PREFIX_BLOCK = 32
"""Prefixes are padded to multiples of so many tokens. So even one of them is as many rows of a product as a block."""


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

    Rows may have prefixes of any length: what is shorter is padded on the right, where no token sees it.

    Args:
        model: In float32; all its layers attend to everything before.
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
        """Sample `rows` to their ends, in place."""
        keys = streams(
            np.array([row.seed for row in rows], np.uint64), np.array([row.sample for row in rows], np.uint64)
        )
        temperature = np.array([row.temperature for row in rows])
        limit = np.array([row.limit for row in rows])
        stops_at_step = np.array([row.stops_at_step for row in rows])

        # Place b of the batch holds rows[slots[b]]; not is_live[b] marks a ghost: finished, or there to fill a block.
        slots, is_live = _fill_blocks(np.arange(len(rows)))
        cache = self._prefill([rows[slot].prefix for slot in slots])
        tokens = np.array([rows[slot].prefix[-1] for slot in slots])
        for position in count():
            logits = self._forward(tokens, cache)
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
                places, is_live = _fill_blocks(live)
                slots, tokens = slots[places], tokens[places]
                cache.select(torch.from_numpy(places))

    def _prefill(self, prefixes: Sequence[tuple[int, ...]]) -> RaggedCache:
        """Run the model over each distinct prefix once; the cache of all but the last token of every prefix.

        Prefixes go together that have the same number of tokens in blocks of `PREFIX_BLOCK`: a row's padding, like its
        bits, is its own.
        """
        blocks: dict[int, list[tuple[int, ...]]] = {}
        for prefix in dict.fromkeys(prefixes):
            blocks.setdefault(-(-len(prefix) // PREFIX_BLOCK), []).append(prefix)
        parts = []
        for size, alike in blocks.items():
            padded = [prefix + (0,) * (size * PREFIX_BLOCK - len(prefix)) for prefix in alike]
            parts.append(DynamicCache(config=self._model.config))
            self._model(input_ids=torch.tensor(padded), past_key_values=parts[-1], use_cache=True, logits_to_keep=1)
        distinct = {prefix: i for i, prefix in enumerate(chain.from_iterable(blocks.values()))}
        cache = RaggedCache(parts, torch.tensor([len(prefix) - 1 for prefix in distinct]))
        cache.select(torch.tensor([distinct[prefix] for prefix in prefixes]))
        return cache

    def _forward(self, tokens: NDArray[np.int64], cache: RaggedCache) -> NDArray[np.float32]:
        """Append a token of each row, [B], to the cache; logits [B, V] after it."""
        cache.make_room()
        output = self._model(
            input_ids=torch.from_numpy(tokens[:, None]),
            attention_mask=cache.mask(self._model.dtype),
            position_ids=cache.lengths[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        cache.count_token()
        logits: NDArray[np.float32] = output.logits[:, -1].numpy()
        return logits


def _whole_blocks(rows: int) -> int:
    return -(-rows // ROW_BLOCK) * ROW_BLOCK


def _fill_blocks(places: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """`places` repeated to whole blocks, and which of them are not repetitions."""
    size = _whole_blocks(len(places))
    return np.resize(places, size), np.arange(size) < len(places)
