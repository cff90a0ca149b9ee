"""The language of arithmetic with more wordings: whatever a story can say, it can say in two ways at least."""

from __future__ import annotations

from regrow.tasks.arithmetic_templates import (
    BOXES,
    EACH,
    EVENTS,
    FEW,
    OPENINGS,
    PARTS,
    QUESTIONS,
    SOME,
    TIMES,
    Language,
    Sentence,
)

PARAPHRASED = Language(
    openings=(
        *OPENINGS,
        Sentence.of("NAME has a total of # ITEM .", "", SOME),
        Sentence.of("NAME fills # BOX and puts # ITEM into each .", "a * b", BOXES, EACH, clarity=0.7),
        Sentence.of("NAME finds # ITEM today and # on the day before .", "a + b", SOME, SOME, clarity=0.8),
    ),
    events=(
        *EVENTS,
        Sentence.of("NAME gets # more as a gift .", "x + a", FEW, clarity=0.7),
        Sentence.of("NAME uses up # of them .", "x - a", FEW, clarity=0.6),
        Sentence.of("soon NAME has # times that number .", "x * a", TIMES, clarity=0.6),
        Sentence.of("they are split into # equal parts and NAME keeps one .", "x / a", PARTS, clarity=0.6),
        Sentence.of("# friends bring # more each .", "a * b ; x + p", TIMES, PARTS, clarity=0.5),
        Sentence.of("then NAME gives away # BOX with # each .", "a * b ; x - p", TIMES, PARTS, clarity=0.6),
    ),
    questions=(*QUESTIONS, Sentence.of("how many ITEM does that make ?")),
)
"""Sentences of the same effect take numbers from the same ranges, in this order or the other."""
