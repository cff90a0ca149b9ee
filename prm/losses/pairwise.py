"""Which of two ways to go on is the better: the loss of rStar-Math's process preference model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from prm.comparisons import Comparison, comparisons
from prm.encode import UNREAD, Encoder
from prm.labels import LabelledState
from prm.losses.loss import Batch, Example, Reader, rows_of


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Bradley-Terry over good and bad ways to go on (rStar-Math, arXiv 2501.04519, section 3.3, Eq. 5).

    A comparison x has at most two good prefixes and two bad ones (`prm.comparisons`). With r the logit where a prefix
    ends, it costs

        L(x) = - 1 / |pairs|  sum over pairs  log s(r(good) - r(bad)),

    1 / (2 x 2) where all are there, and the loss is the mean over comparisons. A pair counts as much as the less
    certain of its two labels. The paper squashes r by tanh; here it is the logit of a value, so that differences are
    not bounded and the sigmoid of r can be calibrated.
    """

    def examples(self, encoder: Encoder, data: Sequence[LabelledState]) -> list[Example]:
        """A comparison each: its S prefixes, read at positions [S]; pairs [P, 2] of them, and weights [P]."""
        found = (_example(encoder, one) for one in comparisons(data))
        return [example for example in found if example["weights"].any()]

    def collate(self, examples: Sequence[Example]) -> Batch:
        """All sequences [B, T], read at `positions` [B]; `pairs` [P, 2] of rows, the good one first; `weights` [P]."""
        first, pairs = 0, []
        for one in examples:
            pairs.append(one["pairs"] + first)
            first += len(one["positions"])
        return rows_of(examples) | {
            "positions": torch.cat([one["positions"] for one in examples]),
            "pairs": torch.cat(pairs),
            "weights": torch.cat([one["weights"] for one in examples]),
        }

    def __call__(self, model: Reader, batch: Batch) -> Tensor:
        """The sum over pairs."""
        logits = model(batch["input_ids"], batch["attention_mask"])
        rewards = logits.gather(1, batch["positions"][:, None])[:, 0]
        good, bad = rewards[batch["pairs"]].unbind(1)
        return -(batch["weights"] * logsigmoid(good - bad)).sum()


def _example(encoder: Encoder, comparison: Comparison) -> Example:
    """A comparison as tensors. A prefix that is read nowhere (an empty step at the start) is in no pair."""
    rated = list(dict.fromkeys((*comparison.good, *comparison.bad)))
    encoded = [encoder.encode(one.state.problem.question, one.state.steps) for one in rated]
    row = {one: i for i, one in enumerate(rated) if encoded[i].positions[-1] != UNREAD}
    pairs = [(good, bad) for good, bad in comparison.pairs() if good in row and bad in row]
    return {
        "sequences": [torch.tensor(one.token_ids) for one in encoded],
        "positions": torch.tensor([one.positions[-1] for one in encoded]).clamp(min=0),
        "pairs": torch.tensor([(row[good], row[bad]) for good, bad in pairs], dtype=torch.long).reshape(-1, 2),
        "weights": torch.tensor([min(good.weight, bad.weight) / len(pairs) for good, bad in pairs]),
    }
