"""The answer of a finished tree, as a request wants it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from mcts.tree import NO_NODE, SearchTree
from mcts.types import Step
from regrow.ask import _plain, answer_of
from regrow.serve.errors import bad_request
from regrow.serve.order import Order, Prompts
from regrow.serve.protocol import FinishReason, Searched


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        pieces: Its text, step by step.
        finish_reason: `stop` where the solution is whole, or ends before a text of `stop`; else `length`: it is cut,
            or there was none within the budget.
    """

    pieces: tuple[str, ...]
    finish_reason: FinishReason
    searched: Searched

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(self.pieces)


def answer_to(order: Order, prompts: Prompts, tree: SearchTree) -> Answer:
    """The answer that the order's strategy chooses in a tree.

    Raises:
        ApiError: The search was given up, and has none.
    """
    chosen = order.strategy.chosen(prompts.task, tree)
    if chosen == NO_NODE and tree.failure:
        raise bad_request(f"the search was given up: {tree.failure}", code="search_failed")
    steps = tree.path(chosen) if chosen != NO_NODE else ()
    kept = _fitting(steps, order.longest)
    whole = prompts.form.delimiter.join(step.text for step in kept)
    text = min((whole.partition(stop)[0] for stop in order.stop), key=len, default=whole)
    is_finished = len(text) < len(whole) or (chosen != NO_NODE and len(kept) == len(steps))
    return Answer(
        _pieces(text, prompts.form.delimiter),
        "stop" if is_finished else "length",
        _searched(dataclasses.replace(tree, answer=chosen), order),
    )


def _fitting(steps: Sequence[Step], longest: int | None) -> Sequence[Step]:
    """The first steps, of `longest` tokens together at most."""
    if longest is None:
        return steps
    return steps[: sum(length <= longest for length in accumulate(len(step.token_ids) for step in steps))]


def _pieces(text: str, delimiter: str) -> tuple[str, ...]:
    """The text, cut behind each delimiter."""
    *before, last = text.split(delimiter)
    return tuple(piece for piece in (*(one + delimiter for one in before), last) if piece)


def _searched(tree: SearchTree, order: Order) -> Searched:
    told = answer_of(tree)
    return Searched(
        strategy=tree.strategy,
        score=told["score"],
        accepted=told["accepted"],
        tokens=tree.spent.tokens_generated,
        nodes=len(tree.parent),
        seconds=tree.spent.seconds,
        tree=_plain(tree) if order.trace else None,
    )
