"""How prompts are answered, for a policy to learn from: demonstrations made of stories of training problems."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from regrow.tasks.arithmetic_backward import turn_around
from regrow.tasks.arithmetic_paraphrases import PARAPHRASED
from regrow.tasks.arithmetic_prompts import NO, PROMPTS, YES, write_prompt
from regrow.tasks.arithmetic_slips import misread
from regrow.tasks.arithmetic_templates import NUMBERS, SLOTS, Clause, Sentence, Story, clauses_of, fill, read, tell
from regrow.tasks.arithmetic_truth import steps_to_go
from regrow.tasks.split import split_of
from regrow.tasks.task import Demonstration, Split

KEPT_SHARE = 0.8
"""How often a sentence of the one problem keeps its effect in another like it."""
BACKWARD_SHARE = 0.25
"""The part of the judged solutions that answer backward questions."""


def is_shown(story: Story) -> bool:
    """Whether demonstrations may show it: a training problem whose question does not contain its answer."""
    return split_of(story.key) is Split.TRAIN and story.answer not in story.numbers


def demonstrate(stories: Iterator[Story], rng: random.Random) -> Demonstration:
    """A prompt about one of the stories with its answer, or a backward question solved; each kind equally often.

    Args:
        stories: Training problems without end, in the sentences of `PARAPHRASED`.
    """
    kind = rng.choice(_KINDS)
    is_backward = kind == _SOLVE_BACKWARD or rng.random() < BACKWARD_SHARE
    while True:
        story = next(stories)
        if kind in _MAKERS:
            demonstration = _made(kind, story, rng)
        else:
            demonstration = _solved(kind, turn_around(story) if is_backward else story, rng)
        if demonstration is not None:
            return demonstration


def rephrase(story: Story, rng: random.Random) -> Story | None:
    """The same computation: every sentence, name and thing is another."""
    said = story.question.split()
    slots = {slot: rng.choice([word for word in words if word not in said]) for slot, words in SLOTS.items()}
    opening, *events, question = _clauses(story)
    clauses = [
        _reworded(opening, PARAPHRASED.openings, rng),
        *(_reworded(event, PARAPHRASED.events, rng) for event in events),
        _reworded(question, PARAPHRASED.questions, rng),
    ]
    return read(tell(clauses, slots), PARAPHRASED)


def change_numbers(story: Story, rng: random.Random) -> Story | None:
    """Another problem in the same sentences; None if the numbers drawn leave the range 1 to 99, or are the same."""
    drawn = (str(rng.choice(values)) for clause in _clauses(story) for values in clause.sentence.ranges)
    question = " ".join(next(drawn) if word in NUMBERS else word for word in story.question.split())
    changed = read(question, PARAPHRASED)
    return None if changed is None or changed.key == story.key else changed


def another_like(story: Story, rng: random.Random) -> Story | None:
    """Another problem that asks for as many operations, mostly the same, in another order; None as above."""
    opening, *events, _ = (clause.sentence for clause in _clauses(story))
    rng.shuffle(events)
    sentences = [
        _alike(opening, PARAPHRASED.openings, rng),
        *(_alike(event, PARAPHRASED.events, rng) for event in events),
        rng.choice(PARAPHRASED.questions),
    ]
    other = fill(sentences, rng, PARAPHRASED)
    return None if other is None or other.key == story.key else other


_MAKERS: Mapping[str, Callable[[Story, random.Random], Story | None]] = {
    "rephrase": rephrase,
    "numbers": change_numbers,
    "backward": lambda story, _: turn_around(story),
    "new": lambda story, _: story,
    "like": another_like,
}
_SOLVE_BACKWARD = "solve backward"
_KINDS = (*PROMPTS, _SOLVE_BACKWARD)


def _made(way: str, story: Story, rng: random.Random) -> Demonstration | None:
    """A prompt for a new question; None where this draw makes none that may be shown."""
    made = _MAKERS[way](story, rng)
    if made is None or not is_shown(made):
        return None
    return Demonstration(write_prompt(way, story.question), (made.question,))


def _solved(kind: str, story: Story, rng: random.Random) -> Demonstration | None:
    """A solution by a demonstrator, or the verdict on one; None where the problem may not be shown."""
    if not is_shown(story):
        return None
    if kind == _SOLVE_BACKWARD:
        return Demonstration(story.question, misread(story, rng))
    return _judged(kind, story, rng)


def _judged(way: str, story: Story, rng: random.Random) -> Demonstration:
    """A demonstrator's solution judged by the story's own computation: as often right as wrong, whatever the story."""
    verdict = rng.random() < 0.5
    while True:
        steps = misread(story, rng)
        if way == "solved":
            steps = _so_far(steps, rng)
        left = steps_to_go(story, steps)[-1]
        if (left is not None and left <= 1) == verdict:
            return Demonstration(write_prompt(way, story.question, steps), (YES if verdict else NO,))


def _so_far(steps: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    """A beginning of a solution: half of them to the end, with the answer or without."""
    whole = len(steps) - rng.randrange(2)
    return steps[: whole if rng.random() < 0.5 else rng.randint(1, len(steps))]


def _clauses(story: Story) -> list[Clause]:
    clauses = clauses_of(story.question, PARAPHRASED)
    assert clauses is not None
    return clauses


def _reworded(clause: Clause, known: tuple[Sentence, ...], rng: random.Random) -> Clause:
    sentence, numbers = clause
    other = rng.choice([one for one in known if one.effect == sentence.effect and one != sentence])
    return Clause(other, numbers if other.ranges == sentence.ranges else numbers[::-1])


def _alike(sentence: Sentence, known: tuple[Sentence, ...], rng: random.Random) -> Sentence:
    same = [one for one in known if one.effect == sentence.effect]
    as_long = [one for one in known if len(one.effect) == len(sentence.effect)]
    return rng.choice(same if rng.random() < KEPT_SHARE else as_long)
