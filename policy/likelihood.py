"""How likely a policy finds solutions that are there already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from policy import checkpoint
from policy.batch import log_probabilities
from policy.examples import Example

ROWS = 128
"""Sequences a pass."""

NO_LOSS = -100
"""The label of tokens that are left out."""


@torch.inference_mode()
def log_likelihoods(path: Path, examples: Sequence[Example]) -> list[float]:
    """[N] natural-log probability of each example's learned tokens, summed, under the policy of a directory.

    Rows of equal length share a pass, so that nothing is padded.

    Raises:
        InputError: There is no policy in `path`.
    """
    model = checkpoint.load_model(path, attention="sdpa").eval()
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, example in enumerate(examples):
        by_length[len(example.token_ids)].append(i)
    sums = [0.0] * len(examples)
    for same in by_length.values():
        for rows in (same[start : start + ROWS] for start in range(0, len(same), ROWS)):
            ids = torch.tensor([examples[i].token_ids for i in rows])
            learned = torch.tensor([examples[i].loss_mask for i in rows])
            found = log_probabilities(model, ids, ids.masked_fill(~learned, NO_LOSS)).sum(1)
            for i, value in zip(rows, found.tolist(), strict=True):
                sums[i] = value
    return sums
