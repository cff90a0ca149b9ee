"""Each label by itself: squared error, or cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torch.nn.utils.rnn import pad_sequence

from prm.encode import UNREAD, Encoder
from prm.labels import LabelledState
from prm.losses.loss import Batch, Example, Reader, rows_of


@dataclass(frozen=True, slots=True)
class Pointwise:
    """The weighted mean over labelled prefixes of what the logit z costs against the label y.

    * squared: (z - y)^2, for progress values (ReST-MCTS*, arXiv 2406.03816, Eq. 37).
    * else -[y log s(z) + (1 - y) log(1 - s(z))], s the sigmoid: with hard labels that of Math-Shepherd
      (arXiv 2312.08935, Eq. 5), and with labels at final steps alone that of an outcome reward model (Cobbe et al.,
      arXiv 2110.14168). Where z is the margin of the word `+` over `-` it is the cross-entropy of these two words.

    Attributes:
        root_weight: How much the bare problem's label counts, times its own weight.
    """

    is_squared: bool
    root_weight: float = 1.0

    def examples(self, encoder: Encoder, data: Sequence[LabelledState]) -> list[Example]:
        """A solution each, one sequence; positions, targets and weights [steps + 1]."""
        examples = []
        for item in data:
            encoded = encoder.encode(item.state.problem.question, item.state.steps)
            positions, targets = torch.tensor(encoded.positions), torch.tensor(item.labels)
            weights = torch.tensor(item.weights)
            weights[0] *= self.root_weight
            weights[targets.isnan() | (positions == UNREAD)] = 0.0
            if weights.any():
                examples.append(
                    {
                        "sequences": [torch.tensor(encoded.token_ids)],
                        "positions": positions.clamp(min=0),
                        "targets": targets.nan_to_num(0.0),
                        "weights": weights,
                    }
                )
        return examples

    def collate(self, examples: Sequence[Example]) -> Batch:
        """[B, T] tokens; [B, K] positions, targets and weights. What is filled up there weighs nothing."""
        names = ("positions", "targets", "weights")
        columns = {name: pad_sequence([one[name] for one in examples], batch_first=True) for name in names}
        return rows_of(examples) | columns

    def __call__(self, model: Reader, batch: Batch) -> Tensor:
        """The sum over labels."""
        logits = model(batch["input_ids"], batch["attention_mask"]).gather(1, batch["positions"])
        cost = mse_loss if self.is_squared else binary_cross_entropy_with_logits
        return (batch["weights"] * cost(logits, batch["targets"], reduction="none")).sum()
