"""The loop: every round teaches the models, and its controls, and measures what they have learned."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcts.ports import StepScorer
from mcts.seeds import seed_of
from prm.formats import trainable_format
from regrow import atomic, base, figures
from regrow.alarms import Figures, Reading, readings
from regrow.build import policy_of, predicts_progress, scorer_of
from regrow.comparison import compare
from regrow.config import CRITICS, RECORDED, SERVER, WITHOUT_WEIGHTS, Config
from regrow.diagnosis import OracleScorer, ShuffledScorer
from regrow.evaluation import Evaluation, Evaluator
from regrow.experiment import Experiment, digest_of
from regrow.judging import judged
from regrow.lazy import Lazy
from regrow.learner import Learned, Learner, Teacher
from regrow.logbook import loggers_of, open_logbook
from regrow.manifest import Run, Stage, open_run
from regrow.models import Models
from regrow.panel import panel_of
from regrow.prm_evaluation import own_success_skill, prm_quality, valued, values_by_depth
from regrow.progress import console
from regrow.record import MAY_DIFFER, recorded
from regrow.report import Control, Report, Round
from regrow.report_html import write_html
from regrow.trace_store import read_trees, write_trees
from regrow.trial import Passed
from regrow.verified import VerifiedTree

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
SAMPLES, SCORES = "samples", "scores.json"


def run_rounds(config: Config, command: str, *, count: int) -> Report:
    """Run `count` rounds in `run.dir`, or go on where an earlier start was stopped.

    Round 0 measures the models to start from. The report is rewritten after every round.
    """
    folder = Path(config.run.dir)
    loggers_of(config.log)
    with (
        open_run(folder, command, recorded(config), ignore=MAY_DIFFER) as run,
        open_logbook(config.log, folder, run.manifest.config) as log,
    ):
        rounds = Rounds(Experiment(config, run))
        if run.stage_done(f"round-{count}/evaluate") and (folder / REPORT_JSON).exists():
            console.print(f"{folder} is finished: nothing is done again")
        start, fitting = start_models(config, rounds.experiment, run)
        trained = [start.prm, *(getattr(start, CRITICS[name]) for name in config.critics.train)]
        for path in trained if count else ():
            if path is not None:
                trainable_format(config.prm.format, path)
        learner = Learner(rounds.experiment, Teacher.SEARCH, start)
        controls = [Learner(rounds.experiment, Teacher(name), Models(start.policy)) for name in config.round.controls]
        rounds.measure(0, learner, Learned(fitting, 0, Passed(start)), [])
        for number in range(1, count + 1):
            learned = learner.learn(number)
            costs = [(control, control.learn(number)) for control in controls]
            rounds.measure(number, learner, learned, costs)
            log(rounds.report(command).rounds)
        report = rounds.report(command)
        log(report.rounds)
        return report


def start_models(config: Config, experiment: Experiment, run: Run) -> tuple[Models, dict[str, float]]:
    """The models of round 0, given by path or else the base policy, PRM 0 and its like, and the seconds they took.

    A server's policy is no directory here, unless that of its tokenizer is given; recorded solutions and scores have
    no models.
    """
    seconds: dict[str, float] = {}

    def copied(name: str, fitted: Callable[[], Path]) -> Path:
        """Keep a cached model in the run directory, so that the run stands on its own."""

        def copy(folder: Path) -> dict[str, Any]:
            shutil.copytree(fitted(), folder, dirs_exist_ok=True)
            return {}

        stage = run.stage(f"round-0/{name}", inputs={}, work=copy)
        seconds[name] = stage.seconds
        return stage.folder

    policy = Path(config.policy.path) if config.policy.path else None
    if policy is None and config.policy.engine not in WITHOUT_WEIGHTS:
        policy = copied("policy", lambda: base.base_policy(config, experiment.task))
    if config.prm.engine == RECORDED:
        return Models(policy), seconds
    prm = Path(config.prm.path or copied("prm", lambda: base.prm_zero(config, experiment.task, policy)))
    critics = base.critics(config, experiment.task, policy, keep=copied)
    return Models(policy, prm, prm if config.prm.yardstick else None, **critics), seconds


class Rounds:
    """Measures round after round on the held-out problems and holds them against each other."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._rounds: list[Round] = []
        self._base_scores: Mapping[str, list[float]] = {}
        self._figures: list[Figures] = []

    def measure(
        self, number: int, learner: Learner, learned: Learned, controls: Sequence[tuple[Learner, Learned]]
    ) -> None:
        """Evaluate the models of round `number` and those of its controls, each with what its round cost."""
        stage = self._evaluate(number, learner)
        scores = _read_scores(stage)
        if number == 0:
            self._base_scores = scores
        pairs = [("search", scores["search"], "best_of_n", scores["best_of_n"])]
        pairs += [(name, scores[name], "base", self._base_scores[name]) for name in ("greedy", "sample") if number]
        measured = {}
        for control, its in controls:
            held = self._evaluate(number, control)
            its_scores = _read_scores(held)
            pairs += [(name, scores[name], control.teacher.value, its_scores[name]) for name in ("greedy", "sample")]
            measured[control.teacher.value] = Control(
                policy=self._policy_name(control.models.policy),
                tokens_generated=its.tokens_generated,
                seconds=its.seconds | {"evaluate": held.seconds},
                eval=held.result["eval"],
                gate_tokens=its.passed.tokens_generated,
                verdicts=its.passed.verdicts,
            )
        self._rounds.append(
            Round(
                round=number,
                policy=self._policy_name(learner.models.policy),
                prm=self._name(learner.models.prm),
                tokens_generated=learned.tokens_generated,
                seconds=learned.seconds | {"evaluate": stage.seconds},
                eval=stage.result["eval"],
                prm_eval=stage.result["prm_eval"],
                prm_exact_eval=stage.result["prm_exact_eval"],
                controls=measured,
                comparisons=tuple(compare(name, over, a, b) for name, a, over, b in pairs if len(a) > 1),
                gate_tokens=learned.passed.tokens_generated,
                verdicts=learned.passed.verdicts,
                alarms=self._alarms(number, learner, stage),
            )
        )

    def report(self, command: str) -> Report:
        """Write `report.json` and `report.html`."""
        run = self.experiment.run
        report = Report.of(command, run.manifest, self.experiment.config.seed, self._rounds)
        atomic.write_json(run.folder / REPORT_JSON, report.as_dict())
        write_html(report.as_dict(), run.folder / REPORT_HTML)
        return report

    def _evaluate(self, number: int, learner: Learner) -> Stage:
        """Measure a policy on its own and, where there is a PRM, the searches with both and the PRM itself."""
        it, config, models = self.experiment, self.experiment.config, learner.models
        name = learner.stage_name(number, "evaluate")
        label = f"round {number}"
        evaluator = Evaluator(
            task=it.task,
            problems=it.held_out,
            drawn=min(config.evaluate.drawn, len(it.held_out)),
            strategy=it.strategy,
            budget=it.evaluate_budget,
            samples=config.evaluate.samples,
            checker=it.checker,
            panel=Lazy(panel_of, config, models, it.strategy),
            config=config,
            seed=seed_of(config.seed, "evaluate", number),
        )

        def work(folder: Path) -> dict[str, Any]:
            policy, scratch = Lazy(policy_of, config, models.policy), it.run.scratch(name)
            plain = evaluator.plain(policy, scratch, label)
            found, quality, exact = Evaluation(), None, None
            scorer = Lazy(scorer_of, config, models.prm) if models.prm else None
            samples = valued(scorer(), it.strategy.aggregate, plain.samples) if scorer else plain.samples
            write_trees(folder / SAMPLES, (VerifiedTree.labelled(tree, "", {}) for tree in samples))
            if scorer is not None:
                scorers: dict[str, Lazy[StepScorer]] = {"search": scorer}
                if config.evaluate.diagnosis:
                    scorers["oracle"] = Lazy(OracleScorer, it.task, it.held_out)
                    shuffled = values_by_depth(scorer(), plain.samples)
                    scorers["shuffled"] = Lazy(ShuffledScorer, shuffled, config.seed)
                found = evaluator.contest(policy, scorers, scratch, label)
                quality = self._prm_quality(number, scorer(), folder, plain)
            if models.exact is not None:
                exact = self._prm_quality(number, scorer_of(config, models.exact), folder, plain)
            atomic.write_json(folder / SCORES, plain.scores | found.scores)
            rows = plain.rows | found.rows
            return {
                "eval": {key: dataclasses.asdict(row) for key, row in rows.items()},
                "prm_eval": quality,
                "prm_exact_eval": exact,
            }

        inputs = models.digests() | {"problems": digest_of(it.held_out)}
        return it.run.stage(name, inputs=inputs, work=work)

    def _alarms(self, number: int, learner: Learner, evaluated: Stage) -> tuple[Reading, ...]:
        """Read the figures of the round's trees: its samples and, from round 1 on, its traces."""
        it = self.experiment
        traces = it.run.stage_done(learner.stage_name(number, "traces"))

        def work(folder: Path) -> dict[str, Any]:
            samples = (one.tree for one in read_trees(evaluated.folder / SAMPLES))
            judged_samples = [judged(it.task, *pair) for pair in zip(it.held_out, samples, strict=False)]
            found = figures.of_samples(judged_samples)
            return found | figures.of_traces(it.task, read_trees(traces.folder), it.config.seed) if traces else found

        inputs = {"evaluate": evaluated.digest, "traces": traces.digest if traces else None}
        self._figures.append(it.run.stage(learner.stage_name(number, "alarms"), inputs=inputs, work=work).result)
        before = self._figures[max(0, number - 1)]
        alarms = readings(it.alarms, self._figures[number], before, self._figures[0])
        for one in alarms:
            if one.rang:
                console.print(f"round {number}, alarm: {one}", soft_wrap=True)
        return alarms

    def _prm_quality(self, number: int, scorer: StepScorer, folder: Path, plain: Evaluation) -> dict[str, Any] | None:
        """Every PRM against the truth about what round 0's policy drew, and against its own policy's success."""
        it = self.experiment
        first = folder if number == 0 else it.run.folder / "round-0/evaluate"
        samples = [verified.tree for verified in read_trees(first / SAMPLES)]
        target = "progress" if predicts_progress(it.config.prm) else "success"
        aggregate = it.strategy.aggregate
        quality = prm_quality(scorer, aggregate, it.task, it.held_out, samples, target)
        if quality is None:
            return None
        skill = own_success_skill(scorer, aggregate, it.task, it.held_out, plain.samples)
        return {**quality, "own_success_skill": skill}

    def _policy_name(self, policy: Path | None) -> str:
        settings = self.experiment.config.policy
        if settings.engine == SERVER:
            return f"served: {settings.server.model or 'the only model'}"
        return self._name(policy)

    def _name(self, model: Path | None) -> str:
        assert model is not None
        folder = self.experiment.run.folder
        return str(model.relative_to(folder)) if model.is_relative_to(folder) else str(model)


def _read_scores(stage: Stage) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = json.loads((stage.folder / SCORES).read_text(encoding="utf-8"))
    return scores
