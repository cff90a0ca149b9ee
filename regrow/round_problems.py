"""What a line of models is asked in each round: fresh problems and, if that is wanted, what its policy makes up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from regrow import provenance
from regrow.experiment import Experiment, digest_of
from regrow.imagine.agreement import failures
from regrow.imagine.imagine import imagine
from regrow.imagine.imagined import read_imagined
from regrow.manifest import Stage
from regrow.replay import Replay
from regrow.tasks.task import GradedProblem


class RoundProblems:
    """The problems of each round so far. Nobody knows an answer to an imagined one: pseudo-labels tell what is right.

    Args:
        imagines: Whether `imagine.count` holds for this line.
    """

    def __init__(self, it: Experiment, *, imagines: bool) -> None:
        self._it = it
        self._imagines = imagines and it.imagination.count > 0
        self._imagined: dict[int, list[GradedProblem]] = {}

    def of(self, number: int) -> list[GradedProblem]:
        """Those of round `number`, which has to be begun."""
        return [*self._it.fresh(number), *self._imagined.get(number, ())]

    def begin(self, number: int, stage: str, policy: Path | None, traces: Replay) -> Stage | None:
        """Have the policy make problems for round `number`, in a stage of this name; None if it is not to.

        Args:
            traces: Those of the rounds before: what the last one did not solve is made more of.
        """
        if not self._imagines:
            return None
        it = self._it
        fresh = it.fresh(number)
        before = [graded.problem.question for known in self._imagined.values() for graded in known]

        def work(folder: Path) -> dict[str, Any]:
            failed = failures(traces.last(), it.task, it.imagination.agreement)
            problems = [graded.problem for graded in fresh]
            return imagine(it, policy, problems, failed, folder, number=number, name=stage, before=before)

        inputs = {
            "policy": provenance.digest_dir(policy) if policy else None,
            "problems": digest_of(fresh),
            "traces": traces.digests(),
        }
        made = it.run.stage(stage, inputs=inputs, work=work)
        self._imagined[number] = [GradedProblem(one.problem, "") for one in read_imagined(made.folder)]
        return made
