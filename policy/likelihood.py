"""How likely a policy finds solutions that are there already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from policy import checkpoint
from policy.examples import Example

ROWS = 128
"""Sequences a pass."""


@torch.inference_mode()
def log_likelihoods(path: Path, examples: Sequence[Example]) -> list[float]:
    """[N] the natural-log probability of each example's learned tokens, summed, under the policy of a directory.

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
            learned = torch.tensor([examples[i].loss_mask for i in rows])[:, 1:]
            logits = model(ids).logits[:, :-1].float()
            logprobs = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
            for i, value in zip(rows, (logprobs * learned).sum(1).tolist(), strict=True):
                sums[i] = value
    return sums
