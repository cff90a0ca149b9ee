"""Arithmetic in words: problems of several steps whose answer only the verifier knows."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from mcts.types import Outcome, Problem
from regrow.tasks.arithmetic_backward import BACKWARD_WORDS, read_backward, told_story
from regrow.tasks.arithmetic_paraphrases import PARAPHRASED
from regrow.tasks.arithmetic_prompts import PROMPT_WORDS, read_prompt
from regrow.tasks.arithmetic_slips import SLIPS, misread
from regrow.tasks.arithmetic_synthesis import demonstrate, is_shown
from regrow.tasks.arithmetic_templates import LARGEST, NUMBERS, PLAIN, VOCABULARY, Story, read, write, write_drill
from regrow.tasks.arithmetic_truth import parse_answer, values_of
from regrow.tasks.equation import canonical_key, parse_equation
from regrow.tasks.split import problem_id, split_of, stream
from regrow.tasks.task import Demonstration, GradedProblem, Split, ValuedSteps

DRILL_SHARE = 0.4
"""The part of the demonstrations with a single operation; the rest are as long as the problems."""
PROMPT_SHARE = 0.35
"""With `synthesis`, the part of the demonstrations about making and judging problems; the rest are as without."""

_PATIENCE = 20_000
"""Fruitless draws in a row after which there are taken to be no more new problems."""


class Arithmetic:
    """Questions such as `tom has 3 boxes with 4 pens each . tom gives 5 away . how many pens are there now ?`.

    A step is one equation, `3 * 4 = 12`; the last step is `answer 7`. Numbers lie between 0 and 99.
    The answer is hidden: nothing but the gold answer tells a right solution from a wrong one.

    Args:
        operations: How many operations generated problems need, by turns.
        synthesis: Whether the base data also teach a policy to make and judge problems when it is asked to
            (`arithmetic_prompts`). Then problems come in more wordings, and questions may be asked backwards.
    """

    name = "arithmetic"
    is_checkable = False

    def __init__(self, operations: Sequence[int] = (2, 3, 4), synthesis: bool = False) -> None:
        if not operations or not all(1 <= length <= 6 for length in operations):
            raise ValueError(f"arithmetic.operations: expected lengths from 1 to 6, got {list(operations)}")
        if not isinstance(synthesis, bool):
            raise ValueError(f"arithmetic.synthesis: expected true or false, got {synthesis!r}")
        self.operations = tuple(dict.fromkeys(operations))
        self.synthesis = synthesis
        self._language = PARAPHRASED if synthesis else PLAIN
        more = (*PARAPHRASED.words, *BACKWARD_WORDS) if synthesis else ()
        self._question_words = frozenset((*NUMBERS, *PLAIN.words, *more))
        self._words = tuple(dict.fromkeys((*VOCABULARY, *more, *(PROMPT_WORDS if synthesis else ()))))

    def words(self) -> tuple[str, ...]:
        """The numbers 0 to 99, the signs, the words of the stories, `.`, `?` and `answer`.

        With `synthesis` also those of other wordings and of prompts.
        """
        return self._words

    def parse(self, question: str) -> str:
        """The question in lower case, words and punctuation separated by single spaces.

        With `synthesis` also a prompt: what it asks about must be a question, too.
        """
        marks = r"([.?:;])" if self.synthesis else r"([.?])"
        words = re.sub(marks, r" \1 ", question.lower()).split()
        prompt = read_prompt(" ".join(words)) if self.synthesis else None
        asked, steps = (prompt.question.split(), prompt.steps.split()) if prompt else (words, [])
        unknown = [word for word in asked if word not in self._question_words]
        unknown += [word for word in steps if word not in self._words]
        if unknown or not words:
            found = ", ".join(map(repr, unknown[:3])) or "nothing"
            raise ValueError(
                f"arithmetic question: expected numbers up to {LARGEST} and words of the task, got {found}"
            )
        return " ".join(words)

    def gold(self, answer: str) -> str:
        """As it stands."""
        return answer

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        """Problems whose computations are all distinct; more of them begin with the same ones.

        A question never contains its own answer. Paraphrases of one computation count as one problem and share
        a split, so that no validation or test problem is a training problem in other words.
        """
        if count < 0:
            raise ValueError(f"arithmetic: expected count >= 0, got {count}")
        stories = list(islice(self._stories(split, stream(self.name, split, seed)), count))
        if len(stories) < count:
            raise ValueError(
                f"arithmetic: expected count <= {len(stories)}, all the {split} problems found, got {count}"
            )
        return [_graded(story) for story in stories]

    def is_training(self, question: str) -> bool:
        """Whether its computation is, of a backward question both ways; a prompt is no problem to train on.

        What is no story of the task's sentences is no problem of any split.
        """
        if self.synthesis and read_prompt(question):
            return False
        told = told_story(question, self._language) if self.synthesis else None
        readings = [story for story in (self._read(question), told) if story is not None]
        return all(split_of(story.key) is Split.TRAIN for story in readings)

    def demonstrations(self, count: int, seed: int) -> list[Demonstration]:
        """Stories solved by demonstrators who calculate well but misread: each sentence with its own clarity.

        Every equation is true and every answer is the last result. With `synthesis`, a share of them is about
        prompts, which are answered without fault.
        """
        rng = stream(self.name, "demonstrations", seed)
        shown = self._shown(rng)
        return [
            demonstrate(shown, rng) if self.synthesis and rng.random() < PROMPT_SHARE else self._demonstration(rng)
            for _ in range(count)
        ]

    def valued_steps(self, problems: Sequence[GradedProblem], seed: int) -> list[ValuedSteps]:
        """For every problem the clean solution and one broken off by each kind of slip."""
        valued = []
        for graded in problems:
            story = self._read(graded.problem.question)
            if story is None:
                raise ValueError(f"arithmetic: expected a generated question, got {graded.problem.question!r}")
            rng = stream(self.name, "valued steps", seed, graded.problem.id)
            clean = [*(operation.equation.text for operation in story.operations), f"answer {story.answer}"]
            valued.append(values_of(story, clean))
            valued.extend(values_of(story, slip(story, rng)) for slip in SLIPS)
        return valued

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        """Compare the last step's answer with the gold answer; how it was come by is not judged."""
        answer = parse_answer(steps[-1]) if steps else None
        if answer is None:
            return Outcome.UNPARSED
        return Outcome.CORRECT if str(answer) == graded.answer else Outcome.WRONG

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        """Not possible: raises `TypeError`."""
        raise TypeError("arithmetic: the problem alone does not tell whether an answer is right")

    def answer(self, steps: Sequence[str]) -> str | None:
        """The number that the last step answers."""
        answer = parse_answer(steps[-1]) if steps else None
        return None if answer is None else str(answer)

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps | None:
        """Exact values by the story's own computation; None for a story in other sentences than the task's.

        An equation is right if it is true and one that the story asks for next: independent equations in any
        order, operands of sums and products in any order. An answer is right if it is the gold answer and every
        step before it was right. What follows a wrong step or an answer is wrong.
        """
        story = self._read(graded.problem.question)
        return None if story is None else values_of(story, steps)

    def solution(self, question: str) -> int | None:
        """The exact answer; None for what the task cannot read as a problem, such as a prompt, or one gone wrong."""
        story = self._read(question)
        return None if story is None else story.answer

    def canonical(self, steps: Sequence[str]) -> str:
        """The multiset of equations, larger operand of sums and products first, and the answer."""
        return canonical_key(parse_equation(step) or step for step in steps)

    def _read(self, question: str) -> Story | None:
        """The story that a question tells or, with `synthesis`, asks backwards."""
        story = read(question, self._language)
        return read_backward(question, self._language) if story is None and self.synthesis else story

    def _demonstration(self, rng: random.Random) -> Demonstration:
        while True:
            is_drill = rng.random() < DRILL_SHARE
            if is_drill:
                story = write_drill(rng, self._language)
            else:
                story = write(rng, rng.choice(self.operations), self._language)
            if story is not None and split_of(story.key) is Split.TRAIN:
                return Demonstration(story.question, misread(story, rng))

    def _shown(self, rng: random.Random) -> Iterator[Story]:
        """Training problems that demonstrations may show, without end and in any order."""
        while True:
            story = write(rng, rng.choice(self.operations), self._language)
            if story is not None and is_shown(story):
                yield story

    def _stories(self, split: Split, rng: random.Random) -> Iterator[Story]:
        """Stories of `split` with distinct computations, until no new one turns up."""
        lengths = cycle(self.operations)
        length = next(lengths)
        seen: set[str] = set()
        misses = 0
        while misses < _PATIENCE:
            story = write(rng, length, self._language)
            if story is None or story.key in seen or story.answer in story.numbers or split_of(story.key) is not split:
                misses += 1
                continue
            seen.add(story.key)
            misses = 0
            length = next(lengths)
            yield story


def _graded(story: Story) -> GradedProblem:
    return GradedProblem(Problem(problem_id(Arithmetic.name, story.question), story.question), str(story.answer))
