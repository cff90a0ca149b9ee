"""The loop: search, verify, label, retrain policy and PRM, evaluate, and again (ReST-MCTS*, Algorithm 1)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.scheduler import Query
from mcts.seeds import seed_of
from mcts.types import Outcome
from policy.checkpoint import load_tokenizer
from policy.examples import from_demonstration, from_steps
from policy.prompts import PromptFormat
from policy.train import TrainPolicy
from policy.train import train as train_policy
from prm.train import TrainPrm
from prm.train import train as train_prm
from regrow import atomic, base, provenance
from regrow.build import budget_of, check_choices, checker_of, fields_of, policy_of, scorer_of, search_of, task_of
from regrow.config import PROGRESS, Config, settings_of
from regrow.evaluation import Evaluator, prm_quality, texts
from regrow.grow import grow
from regrow.manifest import Run, Stage, open_run
from regrow.problems import read_problems
from regrow.progress import console, track
from regrow.report import Report, Round
from regrow.report_html import write_html
from regrow.selection import policy_traces, prm_states
from regrow.tasks.task import GradedProblem, Split
from regrow.trace_store import read_trees, write_trees
from regrow.verified import VerifiedTree

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
NOT_RECORDED = ("run", "output", "cache", "tree")
"""Settings that say where things lie and how they are shown: no figure depends on them; a later start may differ."""


@dataclass(frozen=True, slots=True)
class Models:
    """The two models of a round, as checkpoint directories."""

    policy: Path
    prm: Path


def run_rounds(config: Config, command: str, *, count: int) -> Report:
    """Run `count` rounds in `run.dir`, or go on where an earlier start was stopped.

    Round 0 measures the models to start from. The report is rewritten after every round.
    """
    folder = Path(config.run.dir)
    recorded = {key: value for key, value in dataclasses.asdict(config).items() if key not in NOT_RECORDED}
    with open_run(folder, command, recorded) as run:
        loop = Loop(config, run)
        if run.stage_done(f"round-{count}/evaluate") and (folder / REPORT_JSON).exists():
            console.print(f"{folder} is finished: nothing is done again")
        models, fitting = loop.start()
        rounds = [loop.measure(0, models, fitting, tokens=0)]
        for number in range(1, count + 1):
            found = loop.search(number, models)
            traces = loop.verify(number, found)
            policy = loop.retrain_policy(number, models, traces)
            prm = loop.retrain_prm(number, models, traces)
            models = Models(policy.folder, prm.folder)
            seconds = {"search": found.seconds, "verify": traces.seconds, "policy": policy.seconds, "prm": prm.seconds}
            rounds.append(loop.measure(number, models, seconds, tokens=found.result["tokens_generated"]))
            loop.report(command, rounds)
        return loop.report(command, rounds)


class Loop:
    """The stages of a round. Each is done once and leaves a folder in the run directory."""

    def __init__(self, config: Config, run: Run) -> None:
        self.config = config
        self.run = run
        self.task = task_of(config)
        self.search_settings = search_of(config)
        self.round_budget = budget_of(config.round.budget, "round.budget")
        self.evaluate_budget = budget_of(config.evaluate.budget, "evaluate.budget")
        self.policy_settings = settings_of(TrainPolicy, fields_of(config.policy.train), "policy.train")
        self.prm_settings = settings_of(TrainPrm, fields_of(config.prm.train), "prm.train")
        check_choices(config)
        self.checker = checker_of(config, self.task)
        self.given = read_problems(Path(config.problems), self.task) if config.problems else None
        self.held_out = self._held_out()

    # --- problems ---------------------------------------------------------------------------------------------------

    def _held_out(self) -> list[GradedProblem]:
        """The problems that everything is measured on: never searched for training."""
        evaluate = self.config.evaluate
        if self.run.manifest.command == "evaluate" and self.given is not None:
            return self.given
        return self.task.problems(Split(evaluate.split), evaluate.problems, seed=0)

    def _fresh(self, number: int) -> list[GradedProblem]:
        """The training problems of a round."""
        if self.given is None:
            seed = seed_of(self.config.seed, "problems", number)
            problems = self.task.problems(Split.TRAIN, self.config.round.problems, seed)
        else:
            problems = self.given
        held_out = {graded.problem.question for graded in self.held_out}
        for graded in problems:
            if graded.problem.question in held_out:
                raise InputError(f"problem {graded.problem.id} is held out for evaluation, expected training problems")
        return problems

    # --- stages -----------------------------------------------------------------------------------------------------

    def start(self) -> tuple[Models, dict[str, float]]:
        """The models of round 0, given by path or else the base policy and PRM 0, and the seconds they took."""
        config = self.config
        seconds: dict[str, float] = {}

        def copied(name: str, fitted: Callable[[], Path]) -> Path:
            """Keep a cached model in the run directory, so that the run stands on its own."""

            def copy(folder: Path) -> dict[str, Any]:
                shutil.copytree(fitted(), folder, dirs_exist_ok=True)
                return {}

            stage = self.run.stage(f"round-0/{name}", inputs={}, work=copy)
            seconds[name] = stage.seconds
            return stage.folder

        policy = Path(config.policy.path or copied("policy", lambda: base.base_policy(config, self.task)))
        prm = Path(config.prm.path or copied("prm", lambda: base.prm_zero(config, self.task, policy)))
        return Models(policy, prm), seconds

    def search(self, number: int, models: Models) -> Stage:
        """Grow a tree for each fresh problem. No gold answer is in reach."""
        name = f"round-{number}/search"
        config = self.config
        problems = self._fresh(number)

        def work(folder: Path) -> dict[str, Any]:
            queries = [
                Query(
                    graded.problem,
                    self.search_settings,
                    self.round_budget,
                    seed_of(config.seed, "search", number, graded.problem.id, self.search_settings.name),
                )
                for graded in problems
            ]
            trees = grow(
                queries,
                policy_of(config, models.policy),
                scorer_of(config, models.prm),
                config.scheduler,
                checker=self.checker,
                scratch=self.run.scratch(name),
                what=f"round {number}, searching",
            )
            write_trees(folder, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
            return {"tokens_generated": sum(tree.spent.tokens_generated for tree in trees)}

        return self.run.stage(name, inputs=self._digests(models) | {"problems": _digest(problems)}, work=work)

    def verify(self, number: int, found: Stage) -> Stage:
        """Judge every solution against the gold answer and infer a label for every step."""
        answers = {graded.problem.id: graded for graded in self._fresh(number)}

        def judged(tree: VerifiedTree) -> VerifiedTree:
            graded = answers[tree.tree.problem.id]
            outcomes = {
                int(node): self.task.verify(graded, texts(tree.tree.path(int(node)))) for node in tree.tree.finals()
            }
            return VerifiedTree.labelled(tree.tree, graded.answer, outcomes)

        def work(folder: Path) -> dict[str, Any]:
            trees = [judged(tree) for tree in read_trees(found.folder)]
            write_trees(folder, trees)
            solved = [any(outcome is Outcome.CORRECT for outcome in tree.outcomes.values()) for tree in trees]
            return {"problems": len(trees), "solved": sum(solved)}

        return self.run.stage(f"round-{number}/traces", inputs={"search": found.digest}, work=work)

    def retrain_policy(self, number: int, models: Models, traces: Stage) -> Stage:
        """Supervised fine-tuning of the last policy on selected traces, with base demonstrations mixed in."""
        config = self.config
        seed = seed_of(config.seed, "policy", number)

        def work(folder: Path) -> dict[str, Any]:
            tokenizer = load_tokenizer(models.policy)
            selected = policy_traces(
                read_trees(traces.folder), self.task, per_problem=config.round.traces_per_problem, seed=seed
            )
            if not selected:
                shutil.copytree(models.policy, folder, dirs_exist_ok=True)
                return {"traces": 0}
            replayed = self.task.demonstrations(round(config.round.replay * len(selected)), seed)
            examples = [from_steps(tokenizer, PromptFormat(), question, steps) for question, steps in selected]
            examples += [from_demonstration(tokenizer, PromptFormat(), d.question, d.steps) for d in replayed]
            with track(f"round {number}, policy") as advance:
                result = train_policy(
                    models.policy, examples, folder, self.policy_settings, seed=seed, progress=base.reporter(advance)
                )
            return {"traces": len(selected), "replayed": len(replayed)} | without_seconds(result)

        inputs = {"policy": provenance.digest_dir(models.policy), "traces": traces.digest}
        return self.run.stage(f"round-{number}/policy", inputs=inputs, work=work)

    def retrain_prm(self, number: int, models: Models, traces: Stage) -> Stage:
        """Train the last PRM on the labelled steps of all trees, good and bad."""
        config = self.config
        seed = seed_of(config.seed, "prm", number)

        def work(folder: Path) -> dict[str, Any]:
            states = prm_states(
                read_trees(traces.folder), config.prm.labels, per_problem=config.prm.states_per_problem, seed=seed
            )
            if not states:
                shutil.copytree(models.prm, folder, dirs_exist_ok=True)
                return {"states": 0}
            with track(f"round {number}, PRM") as advance:
                result = train_prm(
                    models.prm, states, folder, self.prm_settings, seed=seed, progress=base.reporter(advance)
                )
            return {"states": len(states)} | without_seconds(result)

        inputs = {"prm": provenance.digest_dir(models.prm), "traces": traces.digest}
        return self.run.stage(f"round-{number}/prm", inputs=inputs, work=work)

    def measure(self, number: int, models: Models, seconds: dict[str, float], *, tokens: int) -> Round:
        """Evaluate a round's models on held-out problems; every PRM on the solutions that round 0's policy drew."""
        name = f"round-{number}/evaluate"
        config = self.config

        def work(folder: Path) -> dict[str, Any]:
            evaluator = Evaluator(
                task=self.task,
                problems=self.held_out,
                search=self.search_settings,
                budget=self.evaluate_budget,
                samples=config.evaluate.samples,
                checker=self.checker,
                limits=config.scheduler,
                seed=seed_of(config.seed, "evaluate", number),
            )
            scorer = scorer_of(config, models.prm)
            policy = policy_of(config, models.policy)
            measured = evaluator.evaluate(policy, scorer, self.run.scratch(name), f"round {number}")
            write_trees(folder / "samples", (VerifiedTree.labelled(tree, "", {}) for tree in measured.samples))
            atomic.write_json(folder / "scores.json", measured.scores)
            first = folder if number == 0 else self.run.folder / "round-0/evaluate"
            samples = [verified.tree for verified in read_trees(first / "samples")]
            target = "progress" if config.prm.labels == PROGRESS else "success"
            quality = prm_quality(scorer, self.task, self.held_out, samples, target)
            return {"eval": {key: dataclasses.asdict(row) for key, row in measured.rows.items()}, "prm_eval": quality}

        inputs = self._digests(models) | {"problems": _digest(self.held_out)}
        stage = self.run.stage(name, inputs=inputs, work=work)
        return Round(
            round=number,
            policy=self._name(models.policy),
            prm=self._name(models.prm),
            tokens_generated=tokens,
            seconds=seconds | {"evaluate": stage.seconds},
            eval=stage.result["eval"],
            prm_eval=stage.result["prm_eval"],
        )

    def report(self, command: str, rounds: Sequence[Round]) -> Report:
        """Write `report.json` and `report.html`."""
        report = Report.of(command, self.run.manifest, self.config.seed, rounds)
        atomic.write_json(self.run.folder / REPORT_JSON, report.as_dict())
        write_html(report.as_dict(), self.run.folder / REPORT_HTML)
        return report

    # --- names ------------------------------------------------------------------------------------------------------

    def _digests(self, models: Models) -> dict[str, str]:
        return {"policy": provenance.digest_dir(models.policy), "prm": provenance.digest_dir(models.prm)}

    def _name(self, model: Path) -> str:
        return str(model.relative_to(self.run.folder)) if model.is_relative_to(self.run.folder) else str(model)


def without_seconds(result: dict[str, float]) -> dict[str, float]:
    """What a training returned, without the clock."""
    return {key: value for key, value in result.items() if key != "seconds"}


def _digest(problems: Sequence[GradedProblem]) -> str:
    return provenance.digest([dataclasses.asdict(graded) for graded in problems])
