"""Chain of Hindsight: a wrong attempt, then a right one."""

from __future__ import annotations

from dataclasses import dataclass

from mcts.errors import InputError
from policy.examples import Example
from policy.lessons import Lesson
from policy.losses import Loss, Supervised
from regrow.objectives.material import Material
from regrow.objectives.objective import Objective, above_zero
from regrow.objectives.verdicts import traces, verdict_pairs


@dataclass(frozen=True)
class Hindsight(Objective):
    """Chain of Hindsight (arXiv 2302.02676, Eq. 1): what is better is learned in sight of what is worse.

    -log pi(y_w | x, y_l, feedback, x), beside plain examples, -log pi(y_w | x), as the model is asked without a first
    attempt.

    On trees: y_l and y_w are a wrong and a correct leaf of one problem; the question is put again between them, and
    the loss is on the second attempt alone. Chains that the model could not read whole are left out.

    Attributes:
        feedback: What is said between the attempts, in words that the policy's tokenizer knows. The order alone tells
            which is the better if it is empty.
        chains: Most chains of a problem.
    """

    feedback: str = ""
    chains: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "chains")

    def lessons(self, material: Material) -> list[Lesson]:
        """Plain traces, then chains."""
        feedback = self._feedback(material)
        chains = [
            chain(material.example(verified.tree, wrong), feedback, material.example(verified.tree, right))
            for verified, right, wrong in verdict_pairs(material.trees, per_problem=self.chains, seed=material.seed)
        ]
        readable = [one for one in chains if len(one.token_ids) <= material.window]
        return [*traces(material, material.per_problem), *readable]

    def loss(self, material: Material) -> Loss:
        """The negative log-likelihood."""
        return Supervised()

    def _feedback(self, material: Material) -> tuple[int, ...]:
        ids = tuple(material.tokenizer(self.feedback, add_special_tokens=False)["input_ids"])
        if material.tokenizer.unk_token_id in ids:
            raise InputError(f"objective.feedback={self.feedback!r}: the policy's tokenizer has no words for it")
        return ids


def chain(before: Example, feedback: tuple[int, ...], after: Example) -> Example:
    """One sequence of two attempts, of which the second is learned."""
    seen = before.token_ids + feedback
    return Example(seen + after.token_ids, (False,) * len(seen) + after.loss_mask)
