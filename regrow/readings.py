"""What a round's models think of solutions, for objectives to choose by. Nothing here has seen a gold answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.aggregate import Aggregate
from mcts.errors import InputError
from mcts.ports import StepScorer
from mcts.types import State, StepEnd
from policy.checkpoint import load_tokenizer
from policy.critic import CriticFormat, SelfCritic
from policy.examples import from_steps
from policy.likelihood import log_likelihoods
from policy.prompts import PromptFormat, eos_of
from regrow.prm_evaluation import score_all


@dataclass(frozen=True)
class ModelReadings:
    """Implements `regrow.objectives.material.Readings` by the models of a round. Each is loaded when it is asked.

    Attributes:
        scorer_of: Opens a PRM.
        aggregate: How the PRM's values of steps become that of a solution.
        policy: Which the round began with; `before`, the one of the round before, if it is another.
        prm: Which the round trained; None in a line of models that has none. `prm_before`, which it began with.
    """

    prompt: PromptFormat
    scorer_of: Callable[[Path], StepScorer]
    aggregate: Aggregate
    policy: Path
    before: Path | None
    prm: Path | None
    prm_before: Path | None

    @property
    def has_past(self) -> bool:
        """Whether there was another policy before."""
        return self.before is not None

    def value(self, states: Sequence[State]) -> list[float]:
        """The values of the PRM that this round trained."""
        return self._values(self.prm, states)

    def value_before(self, states: Sequence[State]) -> list[float]:
        """The values of the PRM that the round began with."""
        return self._values(self.prm_before, states)

    def gain(self, states: Sequence[State]) -> list[float]:
        """By how much the round's first policy finds each solution likelier than the one before it."""
        assert self.before is not None
        tokenizer = load_tokenizer(self.policy)
        examples = [from_steps(tokenizer, self.prompt, state.problem.question, state.steps) for state in states]
        now, then = (log_likelihoods(path, examples) for path in (self.policy, self.before))
        return [a - b for a, b in zip(now, then, strict=True)]

    def asked(self, question: str, states: Sequence[State]) -> list[float]:
        """The probability of `yes` as the policy's answer to a question behind each solution."""
        critic = SelfCritic.load(self.policy, CriticFormat(question), self.prompt)
        end = eos_of(load_tokenizer(self.policy))
        return [values[-1] for values in score_all(critic, [_open(state, end) for state in states])]

    def _values(self, prm: Path | None, states: Sequence[State]) -> list[float]:
        if prm is None:
            raise InputError("objective: there is no PRM to rate solutions by, expected an objective that needs none")
        return [values[-1] for values in score_all(self.scorer_of(prm), states, self.aggregate)]


def _open(state: State, end: int) -> State:
    """A finished solution before its end of sequence: something can be said behind it."""
    last = state.steps[-1]
    if last.end is not StepEnd.FINAL or last.token_ids[-1] != end:
        return state
    said = dataclasses.replace(last, token_ids=last.token_ids[:-1], logprobs=last.logprobs[:-1])
    return State(state.problem, (*state.steps[:-1], said))
