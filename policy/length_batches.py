"""The order of lessons: batches of equal lengths, shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler


class LengthBatches(Sampler[int]):
    """Batches of equally long lessons, in random order.

    transformers' own grouping by length runs from long to short within each large group: neighbouring steps then see
    one kind of lesson each, and the fit forgets the others.

    Args:
        lengths: [N] tokens of each lesson.
        batch_size: Lessons a batch.
        seed: Of all epochs; each epoch is another order, which depends on nothing but its number.
    """

    _POOL = 20
    """Batches that are sorted together: enough to waste little padding, few enough to mix."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = torch.tensor(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes next; each pass goes on to the one after. The Trainer calls this when it resumes."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(self._epoch):
            self._shuffled(generator)
        yield from self._shuffled(generator)
        self._epoch += 1

    def _shuffled(self, generator: torch.Generator) -> list[int]:
        """One epoch, with the next of the generator's numbers."""
        order = torch.randperm(len(self._lengths), generator=generator)
        pools = [pool[self._lengths[pool].argsort(stable=True)] for pool in order.split(self._POOL * self._batch_size)]
        batches = [batch for pool in pools for batch in pool.split(self._batch_size)]
        # The short batch stays last: the Trainer cuts the stream of indices into batches by count.
        whole = [batch for batch in batches if len(batch) == self._batch_size]
        ragged = [batch for batch in batches if len(batch) < self._batch_size]
        shuffled = [whole[i] for i in torch.randperm(len(whole), generator=generator)]
        return [int(i) for batch in (*shuffled, *ragged) for i in batch]
