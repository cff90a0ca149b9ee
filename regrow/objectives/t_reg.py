"""T-REG: DPO, regularised by rewards of single tokens; here of the steps they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcts.tree import ROOT, SearchTree
from policy.lessons import Pair
from policy.losses import Loss, TReg
from regrow.objectives.material import Material
from regrow.objectives.objective import PairObjective, above_zero, expect
from regrow.objectives.verdicts import verdict_pairs
from regrow.selection import NODE_LABELS, node_labels


@dataclass(frozen=True)
class TRegSolutions(PairObjective):
    """Token-level Reward Regularization (T-REG, arXiv 2412.02685).

    L_DPO + alpha w (L_reg(y_w) + L_reg(y_l)), L_reg(y) = -sum_t beta r_t log pi(y_t), w the weight of DPO's gradient.

    There the token's reward r_t is how much more a prompt for a better answer favours it than one for a worse answer.
    On trees it is known by how much a step changed the share of correct solutions beneath: r_t = v_k - v_k-1 for all
    tokens of step k, in [-1, 1], by the labels that the verifier's outcomes leave at the nodes.

    Attributes:
        alpha: Weight of the regularisation.
        labels: Which labels are values: `soft`, `hard`, `progress` or `simple`.
    """

    alpha: float = 0.25
    labels: str = "soft"

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "alpha")
        expect(self.labels in NODE_LABELS, f"labels={self.labels}", f"one of {', '.join(NODE_LABELS)}")

    def pairs(self, material: Material) -> list[Pair]:
        """Correct against wrong, with the rewards of their tokens."""
        pairs = []
        for verified, right, wrong in verdict_pairs(material.trees, per_problem=self.per_problem, seed=material.seed):
            tree, values = verified.tree, node_labels(verified, self.labels)
            chosen, rejected = material.example(tree, right), material.example(tree, wrong)
            rewards = [
                token_rewards(tree, node, values, len(example.token_ids))
                for node, example in ((right, chosen), (wrong, rejected))
            ]
            pairs.append(Pair(chosen, rejected, chosen_rewards=rewards[0], rejected_rewards=rewards[1]))
        return pairs

    def loss(self, material: Material) -> Loss:
        """T-REG's."""
        return TReg(self.beta, self.alpha)


def token_rewards(tree: SearchTree, node: int, values: NDArray[np.float32], length: int) -> tuple[float, ...]:
    """[length] by how much each token's step changed the value on the way to `node`; 0 for the prompt.

    Args:
        values: [N] one a node; NaN where it is not known: a step from or to there changes nothing.
        length: Tokens of prompt and solution.
    """
    rewards: list[float] = []
    while node > ROOT:
        step, parent = tree.steps[node], int(tree.parent[node])
        assert step is not None
        change = float(np.nan_to_num(values[node] - values[parent]))
        rewards[:0] = [change] * len(step.token_ids)
        node = parent
    return (0.0,) * (length - len(rewards)) + tuple(rewards)
