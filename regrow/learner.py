"""One line of models: what is found with the last of them trains the next (ReST-MCTS*, Algorithm 1)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from mcts.search import BestOfN
from mcts.seeds import seed_of
from mcts.types import Outcome
from policy.loss_record import write_loss
from policy.train import train as train_policy
from regrow import base, provenance
from regrow.build import end_engines, policy_of, scorer_of
from regrow.config import CRITICS
from regrow.engines import Engines
from regrow.experiment import Experiment, digest_of
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.lessons import lessons_of, material_of
from regrow.logbook import LOGS, loggers_of
from regrow.manifest import Stage
from regrow.models import Models
from regrow.objectives import Objective, SupervisedTraces
from regrow.objectives.material import Need
from regrow.panel import panel_of
from regrow.progress import track
from regrow.pseudo_labels import AGREEMENT
from regrow.replay import Replay
from regrow.retraining import retrainings, without_seconds
from regrow.rewording import Rewordings, all_judged, reword
from regrow.round_problems import RoundProblems
from regrow.sampling import draw, tokens_of
from regrow.trace_store import read_trees, write_trees
from regrow.trial import Passed, at_gate
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Learned:
    """What a round cost a line of models, and which of the new ones passed the gate.

    Attributes:
        seconds: Stage -> wall-clock seconds.
        tokens_generated: For training data.
    """

    seconds: dict[str, float]
    tokens_generated: int
    passed: Passed


class Teacher(StrEnum):
    """Where a line of models has its training data from.

    * `search`: from the configured search with policy and PRM, which both learn from it.
    * `rest_em`: from as many tokens of plain sampling (ReST-EM, arXiv 2312.06585); there is no PRM.
    * `base_only`: from the base policy's own data, in as many steps: what further fitting alone is worth.
    """

    SEARCH = "search"
    REST_EM = "rest_em"
    BASE_ONLY = "base_only"


class Learner:
    """The stages that make a round's models from those of the round before. Each leaves a folder in the run directory.

    A stage sees the traces of its own round and, as far as they are learned from again, of those before it whose models
    passed the gate, in the order they were found. Controls learn from traces, whatever the objective.
    """

    def __init__(self, experiment: Experiment, teacher: Teacher, start: Models) -> None:
        self.teacher = teacher
        self.models = start
        self._start = start
        self._it = experiment
        self._before: Models | None = None
        self._objective = experiment.objective if teacher is Teacher.SEARCH else SupervisedTraces()
        self._known_alone = _demonstrations(experiment) if teacher is Teacher.BASE_ONLY else None
        self._problems = RoundProblems(experiment, imagines=teacher is Teacher.SEARCH)
        self._traces = Replay(experiment.config.round.traces_replay, experiment.config.seed)
        self._prefix = "" if teacher is Teacher.SEARCH else f"controls/{teacher}/"

    def learn(self, number: int) -> Learned:
        """Go through round `number`. What does not pass the gate leaves the model before it in its place."""
        seconds: dict[str, float] = {}
        samples: dict[Need, Stage] = {}
        tokens = 0
        if self.teacher is not Teacher.BASE_ONLY:
            imagined, found, reworded = self._imagine(number), self._search(number), self._reword(number)
            traces = self._verify(number, found, reworded)
            self._traces.add(traces)
            samples = self._samples(number, seconds)
            drawn = {"imagine": imagined, "search": found, "reword": reworded}
            paid = {name: stage for name, stage in (drawn | samples).items() if stage}
            seconds |= {name: stage.seconds for name, stage in paid.items()} | {"verify": traces.seconds}
            tokens = sum(int(stage.result["tokens_generated"]) for stage in paid.values())
        values = self._retrain_values(number, seconds)
        policy = self._retrain_policy(number, "policy", self._objective, samples, values.get("prm"))
        seconds["policy"] = policy.seconds
        new = {name: stage.folder for name, stage in values.items()} | {"policy": policy.folder}
        passed = self._at_the_gate(number, dataclasses.replace(self.models, **new))
        self._before, self.models = self.models, passed.models
        if passed.refused:  # what may have misled a model is not learned from again, nor asked
            self._traces.drop_last()
            critics = {name: getattr(self._before, name) for name in CRITICS.values()}
            self.models = dataclasses.replace(passed.models, **critics)
        return Learned(seconds | passed.seconds, tokens, passed)

    def stage_name(self, number: int, name: str) -> str:
        """The folder of a stage of this line."""
        return f"{self._prefix}round-{number}/{name}"

    # --- traces -----------------------------------------------------------------------------------------------------

    def _imagine(self, number: int) -> Stage | None:
        """Have the policy make problems of its own, if it is to."""
        return self._problems.begin(number, self.stage_name(number, "imagined"), self.models.policy, self._traces)

    def _search(self, number: int) -> Stage:
        """Grow a tree for each problem. No gold answer is in reach."""
        it, config = self._it, self._it.config
        name = self.stage_name(number, "search")
        problems = self._problems.of(number)
        is_search = self.teacher is Teacher.SEARCH
        best_of_n = BestOfN(temperature=it.strategy.search.temperature)
        strategy = it.strategy if is_search else dataclasses.replace(it.strategy, search=best_of_n)

        def work(folder: Path) -> dict[str, Any]:
            queries = [
                strategy.query(graded.problem, it.round_budget, config.seed, "search", number) for graded in problems
            ]
            engines = Engines(
                Lazy(policy_of, config, self.models.policy),
                Lazy(scorer_of, config, self.models.prm) if self.models.prm else None,
                Lazy(panel_of, config, self.models, strategy),
                it.checker,
            )
            what = f"round {number}, {'searching' if is_search else 'sampling for rest_em'}"
            trees = grow(queries, engines, config, scratch=it.run.scratch(name), what=what).trees
            write_trees(folder, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
            return {"tokens_generated": tokens_of(trees)}

        return it.run.stage(name, inputs=self.models.digests() | {"problems": digest_of(problems)}, work=work)

    def _reword(self, number: int) -> Stage | None:
        """Have the policy solve the problems without a gold answer in other words, if these are to judge."""
        it, policy = self._it, self.models.policy
        if it.pseudo_labels.by != AGREEMENT:
            return None
        problems = [graded.problem for graded in self._problems.of(number) if not graded.answer]
        if not problems:
            return None
        assert policy is not None
        name = self.stage_name(number, "reworded")
        inputs = {"policy": provenance.digest_dir(policy), "problems": provenance.digest([one.id for one in problems])}
        return it.run.stage(name, inputs=inputs, work=partial(reword, it, policy, problems, name=name))

    def _verify(self, number: int, found: Stage, reworded: Stage | None) -> Stage:
        """Judge every solution, against the gold answer if there is one, and infer a label for every step."""
        it = self._it
        problems = {graded.problem.id: graded for graded in self._problems.of(number)}

        def work(folder: Path) -> dict[str, Any]:
            others = Rewordings(it.task, reworded.folder) if reworded else None
            trees = [
                verified
                for one in read_trees(found.folder)
                for verified in all_judged(it.task, problems[one.tree.problem.id], one.tree, it.pseudo_labels, others)
            ]
            write_trees(folder, trees)
            solved = [any(outcome is Outcome.CORRECT for outcome in tree.outcomes.values()) for tree in trees]
            return {"problems": len(trees), "solved": sum(solved)}

        inputs = {"search": found.digest} | ({"reworded": reworded.digest} if reworded else {})
        return it.run.stage(self.stage_name(number, "traces"), inputs=inputs, work=work)

    def _samples(self, number: int, seconds: dict[str, float]) -> dict[Need, Stage]:
        """Draw what the objective wants beside the traces: a stage for each policy that draws."""
        it, drawn = self._it, {}
        for need, count in self._objective.needs().items():
            policy = self._start.policy if need is Need.FIRST_SAMPLES else self.models.policy
            if need is Need.NEXT_SAMPLES:
                ahead = self._retrain_policy(number, "policy-ahead", SupervisedTraces(), {}, None)
                seconds["policy ahead"], policy = ahead.seconds, ahead.folder
            assert policy is not None
            name, problems = self.stage_name(number, need), self._problems.of(number)
            work = partial(draw, it, policy, problems, count, name=name, what=f"round {number}, {need}")
            inputs = {"policy": provenance.digest_dir(policy), "problems": digest_of(problems), "samples": count}
            drawn[need] = it.run.stage(name, inputs=inputs, work=work)
            seconds[need] = drawn[need].seconds
        return drawn

    # --- models -----------------------------------------------------------------------------------------------------

    def _retrain_policy(
        self, number: int, name: str, objective: Objective, samples: Mapping[Need, Stage], prm: Stage | None
    ) -> Stage:
        """Fit to an objective's lessons, with base demonstrations beside traces, or to demonstrations alone."""
        it, config = self._it, self._it.config
        stage, seed = self.stage_name(number, name), seed_of(config.seed, "policy", number)
        start = self._start.policy if config.round.restart or objective.restarts else self.models.policy
        assert start is not None

        def work(folder: Path) -> dict[str, Any]:
            material = material_of(
                it,
                start,
                self._traces.trees(number),
                self.models,
                first=self._start.policy or start,
                before=self._before,
                prm=prm.folder if prm else None,
                samples={need: [one.tree for one in read_trees(drawn.folder)] for need, drawn in samples.items()},
            )
            stops_early = it.policy_settings.patience is not None and self._known_alone is None
            material, apart = material.parted(config.round.validation if stops_early else 0.0)
            lessons, counts = lessons_of(it, objective, material, self._known_alone, seed)
            if not lessons:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                return counts
            settings = it.policy_settings
            settings = dataclasses.replace(settings, learning_rate=settings.learning_rate * objective.rate)
            loss = objective.loss(material)
            end_engines()
            with track(f"round {number}, {name} of {self.teacher}") as advance:
                result = train_policy(
                    start,
                    lessons,
                    folder,
                    settings,
                    loss=loss,
                    seed=seed,
                    validation=objective.lessons(apart),
                    progress=base.reporter(advance),
                    scratch=it.run.scratch(stage),
                    loggers=loggers_of(config.log),
                    logs=it.run.folder / LOGS / stage,
                )
            write_loss(loss, folder)
            return counts | without_seconds(result)

        inputs = {
            "policy": provenance.digest_dir(start),
            "traces": self._traces.digests(),
            "samples": [stage.digest for stage in samples.values()],
            "models": self.models.digests(),
            "prm": prm.digest if prm else None,
        }
        return it.run.stage(stage, inputs=inputs, work=work)

    def _retrain_values(self, number: int, seconds: dict[str, float]) -> dict[str, Stage]:
        """Retrain the value models that there are: name among the models -> stage. The yardstick's time is not told."""
        stages: dict[str, Stage] = {}
        for one in retrainings(self._it.config):
            before, first = (getattr(models, one.model) for models in (self.models, self._start))
            if before is None:
                continue
            name = self.stage_name(number, one.name)
            start = (first or before) if one.prm.restart else before
            stages[one.model] = one.stage(self._it, name, number, start, self._traces)
            if not one.is_exact:
                seconds[one.name] = stages[one.model].seconds
        return stages

    # --- gate -------------------------------------------------------------------------------------------------------

    def _at_the_gate(self, number: int, new: Models) -> Passed:
        """The new models, and in place of those that are worse than before, the old ones. Base data are no risk."""
        if self.teacher is Teacher.BASE_ONLY:
            return Passed(new)
        return at_gate(self._it, self.stage_name(number, "gate"), new, self.models)


def _demonstrations(it: Experiment) -> int:
    """As many as a round has room for, where nothing else is learned."""
    steps = it.policy_settings.max_steps
    each = it.policy_settings.batch_size * it.policy_settings.accumulate
    return each * steps if steps else it.config.policy.base.demonstrations
