"""The ports: what a search needs from the world. Implemented in `policy`, `prm` and `regrow`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mcts.types import Problem, Proposal, Propose, Score, Step, Ticket, Values


class Policy(Protocol):
    """Generates steps. Batch-first and asynchronous: requests go in at once, replies come in any order."""

    @property
    def fingerprint(self) -> str:
        """Digest of everything but the request that decides a reply: weights, prompt format, tokenizer."""

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies so far, by the engine's own count: what accounts are held against."""

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Queue a request. Returns at once."""

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none.

        An engine that computes in process does the work of everything waiting inside this call, however long it takes,
        unless `timeout_s` is 0: then it only gives what is finished. An empty proposal says that there is nothing more
        to give: the search ends there.
        """


class StepScorer(Protocol):
    """Values steps: how good is each prefix of a solution."""

    @property
    def fingerprint(self) -> str:
        """Digest of everything but the request that decides a reply."""

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies, as a policy does."""


class Checker(Protocol):
    """Judges a finished solution from the problem alone, without a gold answer.

    Only tasks whose problems state their own test have one (countdown, game of 24).
    """

    def check(self, problem: Problem, steps: Sequence[Step]) -> bool:
        """Whether `steps` solve `problem`."""
