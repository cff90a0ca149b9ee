"""What a round offers to learn from: verified trees, samples of its models, and what its models think of solutions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.tree import SearchTree
from mcts.types import State
from policy.examples import Example, from_steps
from policy.lessons import Pair
from policy.prompts import PromptFormat
from regrow.solutions import endings
from regrow.tasks.task import Task
from regrow.verified import VerifiedTree

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Reading = Callable[[Sequence[State]], list[float]]
"""A number for each solution: the more, the better. No reading knows a gold answer."""


class Need(StrEnum):
    """Whose samples an objective wants, on this round's problems. The value names their stage."""

    FIRST_SAMPLES = "samples-first"
    """The first model's, round 0's."""
    OWN_SAMPLES = "samples-own"
    """Of the model that the round began with."""
    NEXT_SAMPLES = "samples-next"
    """Of a provisional next one, fitted to the traces first."""


class Readings(Protocol):
    """What the models of a round think of solutions. Each is loaded when it is first asked."""

    def value(self, states: Sequence[State]) -> list[float]:
        """The values of the PRM that this round trained."""

    def value_before(self, states: Sequence[State]) -> list[float]:
        """The values of the PRM that the round began with."""

    @property
    def has_past(self) -> bool:
        """Whether there is a policy before the one that the round began with; not so in round 1."""

    def gain(self, states: Sequence[State]) -> list[float]:
        """By how much that policy's log pi(solution) is above that of the policy before it."""

    def asked(self, question: str, states: Sequence[State]) -> list[float]:
        """The probability of `yes` when the round's policy is asked a question about each solution."""


@dataclass(frozen=True)
class Material:
    """What objectives choose from. Token ids are always as sampled.

    Attributes:
        task: Tells which solutions differ in form only.
        tokenizer: The policy's.
        window: Tokens that the policy reads at most.
        per_problem: Traces a problem that are learned from (`round.traces_per_problem`).
        seed: Of choices.
        trees: The verified trees to learn from, those of earlier rounds first.
        fresh: This round's: drawn with the policy that the round began with.
        first: Checkpoint of the first model, round 0's.
        samples: What was drawn besides; a tree a problem of this round. No verifier has seen them.
        readings: Of this round's models.
    """

    task: Task
    tokenizer: PreTrainedTokenizerBase
    prompt: PromptFormat
    window: int
    per_problem: int
    seed: int
    trees: Sequence[VerifiedTree]
    fresh: Sequence[VerifiedTree]
    readings: Readings
    first: Path
    samples: Mapping[Need, Sequence[SearchTree]] = field(default_factory=dict)

    def example(self, tree: SearchTree, node: int) -> Example:
        """The way from the root to `node`, to be learned from its first step on."""
        return from_steps(self.tokenizer, self.prompt, tree.problem.question, tree.path(node))

    def last_step(self, tree: SearchTree, node: int) -> Example:
        """The same way, of which only the last step is to be learned: what was before belongs to the prompt."""
        whole = self.example(tree, node)
        step = tree.steps[node]
        assert step is not None
        before = len(whole.token_ids) - len(step.token_ids)
        return Example(whole.token_ids, (False,) * before + (True,) * len(step.token_ids))

    def pair(self, tree: SearchTree, chosen: int, rejected: int, preference: float = 1.0) -> Pair:
        """Two solutions of one tree, as the nodes where they end."""
        return Pair(self.example(tree, chosen), self.example(tree, rejected), preference)

    def parted(self, share: float) -> tuple[Material, Material]:
        """What is learned from, and a `share` of the problems that is kept apart: the same ones in every round."""

        def part(is_apart: bool) -> Material:
            def has(tree: SearchTree) -> bool:
                return (seed_of("apart", tree.problem.question) < share * 2**64) == is_apart

            return replace(
                self,
                trees=[one for one in self.trees if has(one.tree)],
                fresh=[one for one in self.fresh if has(one.tree)],
                samples={need: [tree for tree in trees if has(tree)] for need, trees in self.samples.items()},
            )

        return part(False), part(True)

    def rated(self, trees: Iterable[SearchTree], reading: Reading) -> list[tuple[SearchTree, dict[int, float]]]:
        """Each tree with its solutions, as the nodes where they end, and what a reading says of each.

        The solutions of all trees are read at once.
        """
        ends = [(tree, endings(tree)) for tree in trees]
        said = iter(reading([state_of(tree, node) for tree, nodes in ends for node in nodes]))
        return [(tree, {node: next(said) for node in nodes}) for tree, nodes in ends]


def state_of(tree: SearchTree, node: int) -> State:
    """The problem and the way to `node`."""
    return State(tree.problem, tree.path(node))


def likelihood(states: Sequence[State]) -> list[float]:
    """The mean log-probability of a solution's tokens, by the policy that drew it.

    Raises:
        InputError: The policy told no log-probabilities.
    """
    means = []
    for state in states:
        logprobs = [logprob for step in state.steps for logprob in step.logprobs]
        if not logprobs:
            raise InputError(f"objective: the traces of problem {state.problem.id} have no log-probabilities")
        means.append(fsum(logprobs) / len(logprobs))
    return means


def extremes(scores: Mapping[int, float], count: int, margin: float = 0.0) -> list[tuple[int, int]]:
    """At most `count` pairs of nodes: the best and the worst, then the next of each, as long as they are apart.

    Args:
        scores: Node -> the more, the better. Of equals the earlier node counts as the better.
        margin: By how much the two of a pair must differ at least; if 0, they must differ.
    """
    order = ranking(scores)
    inwards = zip(order[: len(order) // 2], reversed(order), strict=False)
    apart = [(best, worst) for best, worst in inwards if scores[best] - scores[worst] >= margin]
    return [(best, worst) for best, worst in apart if scores[best] > scores[worst]][:count]


def ranking(scores: Mapping[int, float]) -> list[int]:
    """The nodes from the best to the worst, of equals the earlier one first."""
    return sorted(scores, key=lambda node: (-scores[node], node))
