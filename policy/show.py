"""Lessons as text, with what is learned of them in brackets: what a dry run shows before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from policy.examples import Example
from policy.lessons import Judged, Lesson, Pair
from policy.losses import Loss

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPEN, CLOSE, NEWLINE = "⟦", "⟧", "⏎"
"""Around learned tokens, and in place of a line's end."""


def shown(tokenizer: PreTrainedTokenizerBase, loss: Loss, lessons: Sequence[Lesson], count: int = 3) -> str:
    """The first lessons: what each is, then every distinct sequence that the loss reads of it, a line each.

    A first token is never learned, whatever its mask says: nothing stands before it.
    """
    return "\n".join(line for lesson in lessons[:count] for line in _lines(tokenizer, loss, lesson))


def _lines(tokenizer: PreTrainedTokenizerBase, loss: Loss, lesson: Lesson) -> Iterator[str]:
    yield _title(lesson)
    for sequence in dict.fromkeys(loss.sequences([lesson])):
        yield "  " + _marked(tokenizer, sequence)


def _title(lesson: Lesson) -> str:
    match lesson:
        case Example():
            return f"example, weight {lesson.weight:g}"
        case Pair():
            rewarded = ", with rewards of tokens" if lesson.chosen_rewards or lesson.rejected_rewards else ""
            return f"pair, chosen before rejected with probability {lesson.preference:.2f}{rewarded}"
        case Judged():
            return f"{'good' if lesson.is_good else 'bad'} solution"


def _marked(tokenizer: PreTrainedTokenizerBase, sequence: Example) -> str:
    learned = (False, *sequence.loss_mask[1:])
    runs = groupby(zip(sequence.token_ids, learned, strict=True), key=lambda token: token[1])
    texts = ((str(tokenizer.decode([token for token, _ in run])), is_learned) for is_learned, run in runs)
    return " ".join(
        (f"{OPEN}{text}{CLOSE}" if is_learned else text).replace("\n", NEWLINE) for text, is_learned in texts
    )
