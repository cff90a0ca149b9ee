"""Scorers that tell what holds a search back: the exact truth above every PRM, and values without a meaning below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mcts.errors import InputError
from mcts.ports import StepScorer
from mcts.seeds import seed_of
from mcts.types import Score, State, Ticket, Values
from regrow.tasks.task import GradedProblem, Task, ValuedSteps


class Immediate:
    """A scorer that answers by a function of the state. Implements `mcts.ports.StepScorer`."""

    def __init__(self, fingerprint: str, values: Callable[[State], Values]) -> None:
        self.fingerprint = fingerprint
        self._values = values
        self._replies: list[tuple[Ticket, Values]] = []

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        self._replies.append((ticket, self._values(request.state)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies. Never waits."""
        replies, self._replies = self._replies, []
        return replies


class InvertedScorer:
    """Says 1 - v where a real scorer says v: what misleads most. Implements `mcts.ports.StepScorer`."""

    def __init__(self, scorer: StepScorer) -> None:
        self._scorer = scorer
        self.fingerprint = f"inverted:{scorer.fingerprint}"

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        self._scorer.submit(ticket, request)

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none."""
        return [(ticket, tuple(1.0 - value for value in values)) for ticket, values in self._scorer.poll(timeout_s)]


class OracleScorer(Immediate):
    """Values every prefix by the exact truth: 1 while a correct answer is in reach, else 0. For measuring only.

    Raises:
        InputError: When asked about a question of which the task knows no truth.
    """

    def __init__(self, task: Task, problems: Iterable[GradedProblem]) -> None:
        graded = {one.problem.id: one for one in problems}

        def truth(state: State) -> ValuedSteps:
            known = task.truth(graded[state.problem.id], [step.text for step in state.steps])
            if known is None:
                raise InputError(f"problem {state.problem.id}: no truth is known, expected a task that knows it")
            return known

        super().__init__(f"oracle:{task.name}", lambda state: (1.0, *map(float, truth(state).reachable)))


class ShuffledScorer(Immediate):
    """Gives every prefix a value that a real scorer gave to some prefix of the same depth: its scale, not its sense.

    Args:
        values: Depth -> values to draw from.
        seed: Decides which; the same prefix always gets the same value.
    """

    def __init__(self, values: Mapping[int, Sequence[float]], seed: int) -> None:
        deepest = max(values)

        def draw(state: State, depth: int) -> float:
            pool = values[min(depth, deepest)]
            key = "\x1f".join(step.text for step in state.steps[:depth])
            return float(pool[seed_of(seed, "shuffled", state.problem.id, key) % len(pool)])

        super().__init__(
            f"shuffled:{seed}", lambda state: tuple(draw(state, depth) for depth in range(len(state.steps) + 1))
        )
