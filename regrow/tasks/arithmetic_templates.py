"""The language of arithmetic word problems: sentences that can be written with numbers and read back."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from regrow.tasks.equation import SIGNS, Equation, evaluate

LARGEST = 99

SLOTS = {
    "NAME": ("ann", "ben", "mia", "tom"),
    "ITEM": ("apples", "books", "cards", "pens", "shells"),
    "BOX": ("bags", "boxes"),
}
_SLOT_OF = {word: slot for slot, words in SLOTS.items() for word in words}
NUMBER = "#"


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

    @classmethod
    def of(cls, pattern: str, effect: str = "", *ranges: range, clarity: float = 1.0) -> Sentence:
        """The sentence of a pattern and an effect as text, such as `a * b ; x + p`."""
        steps = [step.split() for step in effect.split(";") if step.strip()]
        return cls(tuple(pattern.split()), tuple((left, sign, right) for left, sign, right in steps), ranges, clarity)


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
        return tuple(int(word) for word in self.question.split() if word in NUMBERS)

    @property
    def key(self) -> str:
        """The computation without its wording or operand order: paraphrases of one computation are one problem."""
        return " ; ".join(operation.equation.ordered().text for operation in self.operations)


SOME, FEW, EACH = range(2, 21), range(2, 13), range(2, 10)
BOXES, TIMES, PARTS = range(2, 7), range(2, 5), range(2, 6)

OPENINGS = (
    Sentence.of("NAME has # ITEM .", "", SOME),
    Sentence.of("NAME starts with # ITEM .", "", SOME),
    Sentence.of("NAME has # BOX with # ITEM each .", "a * b", BOXES, EACH, clarity=0.8),
    Sentence.of("there are # ITEM in each of # BOX .", "a * b", EACH, BOXES, clarity=0.6),
    Sentence.of("NAME has # ITEM at home and # at school .", "a + b", SOME, SOME, clarity=0.7),
)
EVENTS = (
    Sentence.of("then NAME buys # more .", "x + a", FEW, clarity=0.8),
    Sentence.of("a friend adds # to them .", "x + a", FEW, clarity=0.4),
    Sentence.of("a friend gives # away to NAME .", "x + a", FEW, clarity=0.35),
    Sentence.of("then NAME gives # away .", "x - a", FEW, clarity=0.8),
    Sentence.of("# of them are lost .", "x - a", FEW, clarity=0.7),
    Sentence.of("then # more are gone .", "x - a", FEW, clarity=0.35),
    Sentence.of("then there are # times as many .", "x * a", TIMES, clarity=0.7),
    Sentence.of("# friends share them and NAME keeps one part .", "x / a", PARTS, clarity=0.4),
    Sentence.of("then NAME buys # BOX with # each .", "a * b ; x + p", TIMES, PARTS, clarity=0.7),
    Sentence.of("# friends take # each .", "a * b ; x - p", TIMES, PARTS, clarity=0.5),
)
QUESTIONS = (
    Sentence.of("how many ITEM are there now ?"),
    Sentence.of("how many ITEM does NAME have in the end ?"),
    Sentence.of("what is the number of ITEM now ?"),
)


@dataclass(frozen=True)
class Language:
    """The sentences that stories are made of: an opening, events, a question."""

    openings: tuple[Sentence, ...]
    events: tuple[Sentence, ...]
    questions: tuple[Sentence, ...]

    @cached_property
    def by_words(self) -> tuple[dict[tuple[str, ...], Sentence], ...]:
        """Openings, events and questions by their patterns."""
        return tuple({s.words: s for s in sentences} for sentences in (self.openings, self.events, self.questions))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its sentences, in alphabetical order; numbers are none."""
        patterns = {word for group in self.by_words for words in group for word in words}
        return tuple(sorted(patterns.difference(SLOTS, [NUMBER]) | _SLOT_OF.keys()))


PLAIN = Language(OPENINGS, EVENTS, QUESTIONS)
NUMBERS = {str(number): number for number in range(LARGEST + 1)}
VOCABULARY = (*NUMBERS, *SIGNS, "=", "answer", *PLAIN.words)
"""Every word of questions and steps."""


class Clause(NamedTuple):
    """A sentence as it stands in a story, with its numbers."""

    sentence: Sentence
    numbers: tuple[int, ...]


_Quantity = tuple[int, int | None]
"""A number of a story and the index of the operation that produces it; None for one that stands in the story."""


def write(rng: random.Random, operations: int, language: Language = PLAIN) -> Story | None:
    """A random story; None if the draw needs another number of operations or leaves the range 1 to 99."""
    opening, question = rng.choice(language.openings), rng.choice(language.questions)
    events = []
    missing = operations - len(opening.effect)
    while missing > 0:
        events.append(rng.choice(language.events))
        missing -= len(events[-1].effect)
    return None if missing else fill([opening, *events, question], rng, language)


def write_drill(rng: random.Random, language: Language = PLAIN) -> Story | None:
    """A random story of a single operation whose first number may be any that longer stories come to."""
    opening = rng.choice([opening for opening in language.openings if not opening.effect])
    event = rng.choice([event for event in language.events if len(event.effect) == 1])
    wide = replace(opening, ranges=(range(2, LARGEST + 1),))
    return fill([wide, event, rng.choice(language.questions)], rng, language)


def fill(sentences: Sequence[Sentence], rng: random.Random, language: Language) -> Story | None:
    """A story of these sentences with random names, things and numbers; None if it leaves the range 1 to 99."""
    slots = {slot: rng.choice(words) for slot, words in SLOTS.items()}
    clauses = [Clause(sentence, tuple(rng.choice(values) for values in sentence.ranges)) for sentence in sentences]
    return read(tell(clauses, slots), language)


def tell(clauses: Sequence[Clause], slots: Mapping[str, str]) -> str:
    """The clauses as a text in which NAME, ITEM and BOX are the words of `slots`."""
    words = []
    for clause in clauses:
        numbers = iter(clause.numbers)
        words += [str(next(numbers)) if w == NUMBER else slots.get(w, w) for w in clause.sentence.words]
    return " ".join(words)


def read(question: str, language: Language = PLAIN) -> Story | None:
    """The story that `question` tells; None if it is not made of known sentences or leaves the range 1 to 99."""
    clauses = clauses_of(question, language)
    operations = operations_of(clauses) if clauses else ()
    return Story(question, operations) if operations else None


def clauses_of(question: str, language: Language) -> list[Clause] | None:
    """The sentences of `question` one by one; None if one of them is not known, or not where it belongs."""
    words = question.split()
    ends = [place + 1 for place, word in enumerate(words) if word in (".", "?")]
    sentences = [words[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    if len(sentences) < 2 or ends[-1] != len(words):
        return None
    openings, events, questions = language.by_words
    groups = [openings, *[events] * (len(sentences) - 2), questions]
    clauses = []
    for sentence, group in zip(sentences, groups, strict=True):
        known = group.get(tuple(NUMBER if w in NUMBERS else _SLOT_OF.get(w, w) for w in sentence))
        if known is None:
            return None
        clauses.append(Clause(known, tuple(NUMBERS[w] for w in sentence if w in NUMBERS)))
    return clauses


def operations_of(clauses: Sequence[Clause]) -> tuple[Operation, ...]:
    """The computation that the clauses ask for; empty if they ask for none, or it leaves the range 1 to 99."""
    operations: list[Operation] = []
    quantity: _Quantity = (0, None)
    for sentence, values in clauses:
        numbers: list[_Quantity] = [(value, None) for value in values]
        scope = {"x": quantity, **dict(zip("ab", numbers, strict=False))}
        if numbers and not sentence.effect:
            quantity = numbers[0]
        for left, sign, right in sentence.effect:
            operation = _operation(scope[left], sign, scope[right], sentence.clarity)
            if operation is None:
                return ()
            quantity = scope["p"] = (operation.equation.result, len(operations))
            operations.append(operation)
    return tuple(operations)


def _operation(left: _Quantity, sign: str, right: _Quantity, clarity: float) -> Operation | None:
    result = evaluate(left[0], sign, right[0])
    if result is None or not 1 <= result <= LARGEST:
        return None
    return Operation(Equation(left[0], sign, right[0], result), left[1], right[1], clarity)
