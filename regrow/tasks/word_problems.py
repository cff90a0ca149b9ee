"""Problems in words whose final answer is graded: GSM8K, MATH, and everybody's own files."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from mcts.types import Outcome, Problem
from regrow.grader import extractor, normal_form, shared_grader
from regrow.tasks.problems import Columns, iter_problems
from regrow.tasks.split import split_of, stream
from regrow.tasks.task import GradedProblem, Split, ValuedSteps

GOLD = extractor(("hashes", "boxed"))
"""Where the answer stands in a row that gives a whole solution: behind `####` as in GSM8K, or boxed as in MATH."""


class WordProblems:
    r"""Questions and answers from files or data sets.

    Args:
        name: Of the task.
        train: Source of the training and validation problems; see `regrow.tasks.sources`.
        test: Source of the test problems; None takes them from `train`, too, by the hash of the question.
        answers: Rules by which a solution's answer is found, tried in turn: `boxed`, `hashes`, or a regular expression
            with one group.
        columns: Of the sources.
    """

    is_checkable = False

    def __init__(
        self,
        name: str,
        train: str | None = None,
        test: str | None = None,
        answers: Sequence[str] = ("boxed", "hashes"),
        columns: Columns = Columns(),  # noqa: B008 - frozen
    ) -> None:
        self.name = name
        self._sources = {Split.TRAIN: train, Split.VALIDATION: train, Split.TEST: test or train}
        self._is_test_apart = test is not None
        self._said = extractor(answers)
        self._columns = columns

    def parse(self, question: str) -> str:
        """The question without white space around it."""
        if not question.strip():
            raise ValueError("the question is empty, expected a text")
        return question.strip()

    def gold(self, answer: str) -> str:
        """The final answer of a solution, or the text as it stands."""
        return GOLD(answer) or answer.strip()

    def problems(self, split: Split, count: int, seed: int) -> list[GradedProblem]:
        """The first `count` problems of the split in an order drawn by the seed; no more than these are in memory."""
        order = heapq.nsmallest(
            count, self._of(split), key=lambda one: stream(self.name, seed, one.problem.id).random()
        )
        if len(order) < count:
            raise ValueError(f"{self.name}: expected count <= {len(order)}, all the {split} problems there are")
        return order

    def is_training(self, question: str) -> bool:
        """By the hash of the question, which says nothing of a test set that is apart."""
        return self._split_of(question, Split.TRAIN) is Split.TRAIN

    def verify(self, graded: GradedProblem, steps: Sequence[str]) -> Outcome:
        """Grade the solution's final answer."""
        return shared_grader().grade(graded.answer, self._said("\n".join(steps)))

    def check(self, problem: Problem, steps: Sequence[str]) -> bool:
        """Not without a gold answer."""
        raise NotImplementedError(f"{self.name} has no checker")

    def answer(self, steps: Sequence[str]) -> str | None:
        """The final answer in a normal form."""
        said = self._said("\n".join(steps))
        return None if said is None else normal_form(said)

    def truth(self, graded: GradedProblem, steps: Sequence[str]) -> ValuedSteps | None:
        """Nobody knows."""
        return None

    def canonical(self, steps: Sequence[str]) -> str:
        """The words of the solution, whatever the case and white space."""
        return " ".join(" ".join(steps).casefold().split())

    def _of(self, split: Split) -> Iterator[GradedProblem]:
        source = self._sources[split]
        if source is None:
            raise ValueError(f"{self.name}: has no problems of its own, expected problems=FILE or task.options.train")
        for graded in iter_problems(source, self, self._columns):
            if self._split_of(graded.problem.question, split) is split:
                yield graded

    def _split_of(self, question: str, asked: Split) -> Split:
        """The split of a question in the source of split `asked`."""
        if not self._is_test_apart:
            return split_of(question)
        if asked is Split.TEST:
            return Split.TEST
        return Split.VALIDATION if split_of(question) is Split.VALIDATION else Split.TRAIN
