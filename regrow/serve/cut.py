"""The answer of a finished tree, cut to what a request wants of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from mcts.tree import SearchTree
from mcts.types import Step
from regrow.answer import Answer
from regrow.serve.errors import bad_request
from regrow.serve.order import Order, Prompts
from regrow.serve.protocol import FinishReason, Searched


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """An answer as it is sent.

    Attributes:
        pieces: Its text, step by step.
        finish_reason: `stop` where the solution is whole, or ends before a text of `stop`; else `length`: it is cut,
            or there was none within the budget.
        searched: What the search says of the solution, cut or not.
    """

    pieces: tuple[str, ...]
    finish_reason: FinishReason
    searched: Searched

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(self.pieces)


def cut(order: Order, prompts: Prompts, tree: SearchTree) -> CutAnswer:
    """The answer that the order's strategy chooses in a tree.

    Raises:
        ApiError: The search was given up, and has none.
    """
    answer = Answer.of(order.strategy, prompts.task, tree)
    if not answer.is_found and tree.failure:
        raise bad_request(f"the search was given up: {tree.failure}", code="search_failed")
    steps = answer.tree.path(answer.tree.answer) if answer.is_found else ()
    kept = _fitting(steps, order.longest)
    whole = prompts.form.delimiter.join(step.text for step in kept)
    text = min((whole.partition(stop)[0] for stop in order.stop), key=len, default=whole)
    is_finished = len(text) < len(whole) or (answer.is_found and len(kept) == len(steps))
    return CutAnswer(
        _pieces(text, prompts.form.delimiter),
        "stop" if is_finished else "length",
        Searched(
            strategy=tree.strategy,
            score=answer.score,
            accepted=answer.accepted,
            tokens=answer.tokens,
            nodes=len(tree.parent),
            seconds=tree.spent.seconds,
            tree=answer.nodes() if order.trace else None,
        ),
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
