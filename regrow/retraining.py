"""A round's value models: PRM, its yardstick and further critics, retrained on the labelled steps of the traces."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts.seeds import seed_of
from prm.labels import LabelledState
from regrow import base, provenance
from regrow.build import critic_prm, end_engines
from regrow.config import CRITICS, Config, PrmConfig
from regrow.experiment import Experiment
from regrow.logbook import LOGS, loggers_of
from regrow.manifest import Stage
from regrow.prm_training import train_prm
from regrow.progress import track
from regrow.replay import Replay
from regrow.selection import exactly_labelled, prm_states
from regrow.tasks.task import GradedProblem


@dataclass(frozen=True, slots=True)
class Retraining:
    """How one value model is retrained.

    Attributes:
        model: Which one among those of its round.
        name: Of its stage.
        prm: Which labels it learns, and how.
        is_exact: Whether it learns the truth in their place, where the task knows it.
    """

    model: str
    name: str
    prm: PrmConfig
    is_exact: bool = False

    def stage(self, it: Experiment, name: str, number: int, start: Path, traces: Replay) -> Stage:
        """Train on the labelled steps of all trees, good and bad; without any the model stays as it is.

        Args:
            name: Of the stage, with the folders that it lies in.
            start: The model to go on from.
        """
        inputs = {"prm": provenance.digest_dir(start), "traces": traces.digests()}
        # The yardstick learns in the same order as the PRM that it is for.
        seed = seed_of(it.config.seed, "prm" if self.is_exact else self.name, number)

        def work(folder: Path) -> dict[str, Any]:
            states = self._states(it, number, traces)
            known = base.known_steps(it.task, self.prm.labels, round(self.prm.replay * len(states)), seed)
            if not states:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                return {"states": 0}
            end_engines()
            with track(f"round {number}, {self.name}") as advance:
                result = train_prm(
                    self.prm,
                    start,
                    states + known,
                    folder,
                    it.prm_settings,
                    seed=seed,
                    progress=base.reporter(advance),
                    loggers=loggers_of(it.config.log),
                    logs=it.run.folder / LOGS / name,
                )
            return {"states": len(states), "replayed": len(known)} | without_seconds(result)

        return it.run.stage(name, inputs=inputs, work=work)

    def _states(self, it: Experiment, number: int, traces: Replay) -> list[LabelledState]:
        prm = self.prm
        states = [
            state
            for trees in traces.trees(number)
            for state in prm_states(
                trees, prm.labels, per_problem=prm.states_per_problem, seed=it.config.seed, weights=prm.weights
            )
        ]
        if not self.is_exact:
            return states
        problems = [GradedProblem(one.tree.problem, one.gold) for of_round in traces.trees(number) for one in of_round]
        return exactly_labelled(states, it.task, problems, prm.labels)


def retrainings(config: Config) -> list[Retraining]:
    """All that a round may retrain, if the model is there: the PRM, its yardstick, and the critics that are trained."""
    critics = [Retraining(CRITICS[name], f"critic-{name}", critic_prm(config, name)) for name in config.critics.train]
    yardstick = Retraining("exact", "prm-exact", config.prm, is_exact=True)
    return [Retraining("prm", "prm", config.prm), yardstick, *critics]


def without_seconds(result: dict[str, float]) -> dict[str, float]:
    """What a training returned, without the clock."""
    return {key: value for key, value in result.items() if key != "seconds"}
