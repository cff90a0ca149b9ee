"""A policy that draws from recorded solutions: voting, ranking and PRMs on what somebody else's model wrote."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.types import Continuation, Problem, Proposal, Propose, Step, StepEnd, Ticket, Until, tokens_in
from policy.prompts import PromptFormat
from policy.recorded import Candidate, RecordedSet
from policy.server_text import Token, dealt, hashed


class RecordedPolicy:
    """Implements `mcts.ports.Policy`.

    A problem's solutions stand in one order for a whole run, and a tree draws them from the first on: which ones a
    request gets depends on how many the tree has, so none is drawn twice, and strategies draw the same. Where fewer are
    left than asked for, there is nothing more: the search ends. Solutions are given whole, however long, and as they
    are at any temperature.

    No tokenizer is at hand: a step's token ids stand for its tokens by number alone, of a solution whose number the
    file tells; of others they are hashes of its words.

    Args:
        prompt: Whose delimiter ends a step.
        seed: Of the order; None draws as the file has them.
    """

    def __init__(self, recorded: RecordedSet, prompt: PromptFormat, *, seed: int | None) -> None:
        self._recorded = recorded
        self._delimiter = prompt.delimiter
        self._seed = seed
        self._order = lru_cache(maxsize=1 << 16)(self._ordered)
        self._replies: list[tuple[Ticket, Proposal]] = []
        self._tokens_generated = 0
        told = json.dumps([recorded.digest, prompt.delimiter, seed])
        self.fingerprint = blake2b(f"policy=recorded\0{told}".encode(), digest_size=16).hexdigest()

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies so far."""
        return self._tokens_generated

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Answer a request.

        Raises:
            InputError: It is for less than a whole solution, or the file has none, or too few, of the problem.
        """
        proposal = self._propose(request)
        self._tokens_generated += tokens_in(proposal)
        self._replies.append((ticket, proposal))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take the replies. Never waits."""
        replies, self._replies = self._replies, []
        return replies

    def _propose(self, request: Propose) -> Proposal:
        if request.state.steps or request.until is not Until.END:
            raise InputError(
                "policy=recorded has whole solutions only: "
                "expected search=best_of_n, self_consistency, weighted_vote or greedy"
            )
        drawn, width = request.drawn, request.width
        order = self._order(request.state.problem)
        if len(order) < width:
            raise InputError(
                f"{order[0].where}: its problem has {len(order)} solutions, expected search.width={width} or more"
            )
        chosen = order[drawn : drawn + width]
        return tuple(self._steps(candidate) for candidate in chosen) if len(chosen) == width else ()

    def _ordered(self, problem: Problem) -> list[Candidate]:
        candidates = self._recorded.of(problem).candidates
        if self._seed is None:
            return candidates
        places = [seed_of(self._seed, "recorded", problem.id, i) for i in range(len(candidates))]
        return [candidates[i] for i in sorted(range(len(candidates)), key=places.__getitem__)]

    def _steps(self, candidate: Candidate) -> Continuation:
        pieces = candidate.pieces(self._delimiter)
        if candidate.tokens is None:
            ids = [tuple(hashed(word) for word in piece.split()) for piece in pieces]
        else:
            told = [Token(hashed(candidate.text))] * candidate.tokens
            ids = [tuple(token.id for token in part) for part in dealt(told, pieces, self._delimiter)]
        ends = [StepEnd.DELIMITER] * (len(pieces) - 1) + [StepEnd.FINAL]
        return tuple(Step(piece, part, end=end) for piece, part, end in zip(pieces, ids, ends, strict=True))
