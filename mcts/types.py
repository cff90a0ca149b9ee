"""The vocabulary of a search: what is asked, what is answered, what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Message(NamedTuple):
    """What somebody said in a conversation: `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Problem:
    """All that search, policies and scorers ever see of a problem. There is no field for an answer.

    Attributes:
        before: The conversation in which the question is asked, up to it; seen by policies that chat, nobody else.
    """

    id: str
    question: str
    before: tuple[Message, ...] = ()


class StepEnd(StrEnum):
    """Why a step stopped."""

    DELIMITER = "delimiter"
    """The task's step delimiter: the solution may go on."""
    FINAL = "final"
    """End of sequence: the solution is complete."""
    TRUNCATED = "truncated"
    """The token limit: nothing may be built on this step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One reasoning step as the policy generated it.

    Attributes:
        text: The step without its delimiter.
        token_ids: Tokens as sampled, the delimiter or end-of-sequence token included; never re-tokenised.
        logprobs: Natural-log probabilities of `token_ids` before temperature, same length.
        end: Why the step stopped.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    end: StepEnd = StepEnd.DELIMITER


@dataclass(frozen=True, slots=True)
class State:
    """A problem and the steps taken so far: a node of a search tree, spelt out."""

    problem: Problem
    steps: tuple[Step, ...] = ()


class Role(StrEnum):
    """Who is asked. A search has a policy; it may do without any of the others."""

    POLICY = "policy"
    FAST = "fast"
    """A smaller policy for rollouts."""
    SCORER = "scorer"
    """Values steps: the PRM, or the value function where there are both."""
    PRM = "prm"
    """Values steps beside a value function."""
    ORM = "orm"
    """Values finished solutions."""
    CRITIC = "critic"
    """Says whether a solution is finished."""
    JUDGE = "judge"
    """Says whether the last two steps are two ways to say the same."""


class Until(StrEnum):
    """How far a continuation runs."""

    STEP = "step"
    END = "end"


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask a policy for `width` continuations of `state`.

    Attributes:
        temperature: 0 takes the most likely token.
        max_tokens: Limit per continuation.
        seed: 64-bit; sample `i` draws from a stream of its own derived from (seed, i).
        drawn: Continuations of `state` that its tree has already: where those of a policy are counted, the next ones
            come after these.
    """

    state: State
    width: int
    until: Until
    temperature: float
    max_tokens: int
    seed: int
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """Ask a scorer for the value of every prefix of `state`, the bare problem first."""

    state: State


Continuation = tuple[Step, ...]
"""What a policy adds to a state: one step (`Until.STEP`) or all steps to the end (`Until.END`)."""

Proposal = tuple[Continuation, ...]
"""A policy's reply: `width` continuations; none at all where the policy has nothing more to give."""


def tokens_in(proposal: Proposal) -> int:
    """Tokens that were generated for a reply."""
    return sum(len(step.token_ids) for continuation in proposal for step in continuation)


Values = tuple[float, ...]
"""A scorer's reply: values in [0, 1], one for each of the `len(steps) + 1` prefixes."""


class Ticket(NamedTuple):
    """Names one request of one tree; replies are committed in the order of `number`."""

    tree: str
    number: int


class Outcome(StrEnum):
    """A verifier's judgement of a finished solution."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSED = "unparsed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search has cost so far. `tokens_generated` is what tables compare at.

    Attributes:
        tokens_generated: Tokens of all replies of the policy.
        tokens_scored: Tokens of the steps that scorer and critic were shown, each time they were.
        nodes: Nodes of the tree, the root included.
        seconds: Since the tree was planted; no part of equality, as it differs from run to run.
    """

    tokens_generated: int = 0
    tokens_scored: int = 0
    policy_calls: int = 0
    scorer_calls: int = 0
    nodes: int = 0
    seconds: float = field(default=0.0, compare=False)

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.tokens_generated + other.tokens_generated,
            self.tokens_scored + other.tokens_scored,
            self.policy_calls + other.policy_calls,
            self.scorer_calls + other.scorer_calls,
            self.nodes + other.nodes,
            self.seconds + other.seconds,
        )
