"""The scores that somebody else's PRM gave to recorded solutions, as a scorer."""

from __future__ import annotations

from mcts.aggregate import Aggregate
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.types import Problem, State, Values
from policy.recorded import Candidate, RecordedSet
from prm.encode import UNKNOWN
from regrow.diagnosis import Immediate
from regrow.strategy import Strategy


class RecordedScorer(Immediate):
    """Values a recorded solution by its own scores. Implements `mcts.ports.StepScorer`.

    Where there is one score for the whole, each of its steps has it: read as the last, the least or the mean it is the
    same.

    Args:
        delimiter: Ends a step.
        aggregate: How values are going to be read.

    Raises:
        InputError: When asked about a solution that has no scores, or none that can be read so.
    """

    def __init__(self, recorded: RecordedSet, delimiter: str, aggregate: Aggregate) -> None:
        self._recorded = recorded
        self._delimiter = delimiter
        self._aggregate = aggregate
        self._of: dict[str, dict[tuple[str, ...], Candidate]] = {}
        super().__init__(f"recorded:{recorded.digest}:{delimiter!r}", self._values_of)

    def _values_of(self, state: State) -> Values:
        candidates = self._of.setdefault(state.problem.id, {}) or self._read(state.problem)
        candidate = candidates[tuple(step.text for step in state.steps)]
        scores, count = candidate.scores, len(state.steps)
        if wrong := [score for score in scores if not 0.0 <= score <= 1.0]:
            raise InputError(f"{candidate.where}: score {wrong[0]}, expected 0 to 1 (prm=recorded)")
        if len(scores) == count:
            return (UNKNOWN, *scores)
        if len(scores) != 1:
            told = f"{len(scores)} scores for {count} steps, as {self._delimiter!r} ends one"
            raise InputError(f"{candidate.where}: {told}, expected as many, or one for the whole (prm=recorded)")
        if self._aggregate is Aggregate.PRODUCT:
            raise InputError(f"{candidate.where}: one score for {count} steps, expected aggregate=last, min or mean")
        return (UNKNOWN, *scores * count)

    def _read(self, problem: Problem) -> dict[tuple[str, ...], Candidate]:
        candidates = self._of[problem.id]
        for candidate in self._recorded.of(problem).candidates:
            candidates.setdefault(tuple(candidate.pieces(self._delimiter)), candidate)
        return candidates


def recorded_scorer(recorded: RecordedSet, delimiter: str, strategy: Strategy) -> RecordedScorer | None:
    """The scorer for a strategy; None where the file has no scores and the strategy needs none.

    Raises:
        InputError: It needs them.
    """
    if recorded.is_scored:
        return RecordedScorer(recorded, delimiter, strategy.aggregate)
    if strategy.choice is not Choice.MAJORITY and strategy.search.temperature > 0.0:
        told = f"strategy {strategy.name} chooses by values, and {recorded.path} has no scores"
        raise InputError(f"prm=recorded: {told}, expected prm=hf prm.path=DIR")
    return None
