"""The language of arithmetic word problems: sentences that can be written with numbers and read back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from regrow.tasks.equation import SIGNS, Equation, evaluate

LARGEST = 99

_SLOTS = {
    "NAME": ("ann", "ben", "mia", "tom"),
    "ITEM": ("apples", "books", "cards", "pens", "shells"),
    "BOX": ("bags", "boxes"),
}
_SLOT_OF = {word: slot for slot, words in _SLOTS.items() for word in words}
_NUMBER = "#"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a story.

    Attributes:
        words: The pattern: words, the slots NAME, ITEM and BOX, and `#` for each number.
        effect: What the sentence does to the quantity x: operations over x, the numbers a and b in the order of
            the pattern, and p, the product of the operation before; the last result is the new x.
        ranges: The range that each number is drawn from.
        clarity: The probability that the demonstrators of the base data read it right. Where it is low a
            policy's favourite reading is wrong, so that neither greedy decoding nor voting repairs it.
    """

    words: tuple[str, ...]
    effect: tuple[tuple[str, str, str], ...]
    ranges: tuple[range, ...]
    clarity: float


class Operation(NamedTuple):
    """One equation that a story asks for.

    `left_from` and `right_from` are the indices of the operations that produce the operands; None for a number
    that stands in the story.
    """

    equation: Equation
    left_from: int | None
    right_from: int | None
    clarity: float


@dataclass(frozen=True, slots=True)
class Story:
    """A word problem and the computation that it asks for, in the order of its sentences."""

    question: str
    operations: tuple[Operation, ...]

    @property
    def answer(self) -> int:
        """The result of the last operation."""
        return self.operations[-1].equation.result

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that stand in the question."""
        return tuple(int(word) for word in self.question.split() if word in _NUMBERS)

    @property
    def key(self) -> str:
        """The computation without its wording or operand order: paraphrases of one computation are one problem."""
        return " ; ".join(operation.equation.ordered().text for operation in self.operations)


def _sentence(pattern: str, effect: str = "", *ranges: range, clarity: float = 1.0) -> Sentence:
    steps = [step.split() for step in effect.split(";") if step.strip()]
    return Sentence(tuple(pattern.split()), tuple((left, sign, right) for left, sign, right in steps), ranges, clarity)


_SOME, _FEW, _EACH = range(2, 21), range(2, 13), range(2, 10)
_BOXES, _TIMES, _PARTS = range(2, 7), range(2, 5), range(2, 6)

OPENINGS = (
    _sentence("NAME has # ITEM .", "", _SOME),
    _sentence("NAME starts with # ITEM .", "", _SOME),
    _sentence("NAME has # BOX with # ITEM each .", "a * b", _BOXES, _EACH, clarity=0.8),
    _sentence("there are # ITEM in each of # BOX .", "a * b", _EACH, _BOXES, clarity=0.6),
    _sentence("NAME has # ITEM at home and # at school .", "a + b", _SOME, _SOME, clarity=0.7),
)
EVENTS = (
    _sentence("then NAME buys # more .", "x + a", _FEW, clarity=0.8),
    _sentence("a friend adds # to them .", "x + a", _FEW, clarity=0.4),
    _sentence("a friend gives # away to NAME .", "x + a", _FEW, clarity=0.35),
    _sentence("then NAME gives # away .", "x - a", _FEW, clarity=0.8),
    _sentence("# of them are lost .", "x - a", _FEW, clarity=0.7),
    _sentence("then # more are gone .", "x - a", _FEW, clarity=0.35),
    _sentence("then there are # times as many .", "x * a", _TIMES, clarity=0.7),
    _sentence("# friends share them and NAME keeps one part .", "x / a", _PARTS, clarity=0.4),
    _sentence("then NAME buys # BOX with # each .", "a * b ; x + p", _TIMES, _PARTS, clarity=0.7),
    _sentence("# friends take # each .", "a * b ; x - p", _TIMES, _PARTS, clarity=0.5),
)
QUESTIONS = (
    _sentence("how many ITEM are there now ?"),
    _sentence("how many ITEM does NAME have in the end ?"),
    _sentence("what is the number of ITEM now ?"),
)
_BY_WORDS = tuple({s.words: s for s in sentences} for sentences in (OPENINGS, EVENTS, QUESTIONS))

_NUMBERS = {str(number): number for number in range(LARGEST + 1)}
_PATTERN_WORDS = {word for group in _BY_WORDS for words in group for word in words}
_LANGUAGE = sorted(_PATTERN_WORDS.difference(_SLOTS, [_NUMBER]) | _SLOT_OF.keys())
VOCABULARY = (*_NUMBERS, *SIGNS, "=", "answer", *_LANGUAGE)
"""Every word of questions and steps."""
QUESTION_WORDS = frozenset((*_NUMBERS, *_LANGUAGE))

_Quantity = tuple[int, int | None]
"""A number of a story and the index of the operation that produces it; None for one that stands in the story."""


def write(rng: random.Random, operations: int) -> Story | None:
    """A random story; None if the draw needs another number of operations or leaves the range 1 to 99."""
    opening, question = rng.choice(OPENINGS), rng.choice(QUESTIONS)
    events = []
    missing = operations - len(opening.effect)
    while missing > 0:
        events.append(rng.choice(EVENTS))
        missing -= len(events[-1].effect)
    return None if missing else _fill([opening, *events, question], rng)


def write_drill(rng: random.Random) -> Story | None:
    """A random story of a single operation whose first number may be any that longer stories come to."""
    opening = OPENINGS[rng.randrange(2)]
    event = rng.choice([event for event in EVENTS if len(event.effect) == 1])
    wide = Sentence(opening.words, opening.effect, (range(2, LARGEST + 1),), opening.clarity)
    return _fill([wide, event, rng.choice(QUESTIONS)], rng)


def _fill(sentences: Sequence[Sentence], rng: random.Random) -> Story | None:
    slots = {slot: rng.choice(words) for slot, words in _SLOTS.items()}
    words = []
    for sentence in sentences:
        numbers = iter([rng.choice(values) for values in sentence.ranges])
        words += [str(next(numbers)) if w == _NUMBER else slots.get(w, w) for w in sentence.words]
    return read(" ".join(words))


def read(question: str) -> Story | None:
    """The story that `question` tells; None if it is not made of known sentences or leaves the range 1 to 99."""
    words = question.split()
    ends = [place + 1 for place, word in enumerate(words) if word in (".", "?")]
    sentences = [words[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    if len(sentences) < 2 or ends[-1] != len(words):
        return None
    groups = [_BY_WORDS[0], *[_BY_WORDS[1]] * (len(sentences) - 2), _BY_WORDS[2]]
    operations: list[Operation] = []
    quantity: _Quantity = (0, None)
    for sentence, group in zip(sentences, groups, strict=True):
        known = group.get(tuple(_NUMBER if w in _NUMBERS else _SLOT_OF.get(w, w) for w in sentence))
        if known is None:
            return None
        numbers: list[_Quantity] = [(_NUMBERS[w], None) for w in sentence if w in _NUMBERS]
        scope = {"x": quantity, **dict(zip("ab", numbers, strict=False))}
        if numbers and not known.effect:
            quantity = numbers[0]
        for left, sign, right in known.effect:
            operation = _operation(scope[left], sign, scope[right], known.clarity)
            if operation is None:
                return None
            quantity = scope["p"] = (operation.equation.result, len(operations))
            operations.append(operation)
    return Story(question, tuple(operations)) if operations else None


def _operation(left: _Quantity, sign: str, right: _Quantity, clarity: float) -> Operation | None:
    result = evaluate(left[0], sign, right[0])
    if result is None or not 1 <= result <= LARGEST:
        return None
    return Operation(Equation(left[0], sign, right[0], result), left[1], right[1], clarity)
