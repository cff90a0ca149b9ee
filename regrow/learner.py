"""One line of models: what is found with the last of them trains the next (ReST-MCTS*, Algorithm 1)."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mcts.search import BestOfN
from mcts.seeds import seed_of
from mcts.types import Outcome
from policy.checkpoint import load_tokenizer
from policy.examples import Example, from_demonstration, from_steps
from policy.train import train as train_policy
from prm.labels import LabelledState
from regrow import base, provenance
from regrow.build import critic_of, end_engines, policy_of, prompt_of, scorer_of
from regrow.experiment import Experiment, digest_of
from regrow.grow import grow
from regrow.judging import judged
from regrow.manifest import Stage
from regrow.prm_training import train_prm
from regrow.progress import track
from regrow.selection import exactly_labelled, policy_traces, prm_states
from regrow.tasks import embedded
from regrow.trace_store import read_trees, write_trees
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a round, as checkpoint directories.

    Attributes:
        policy: None where a server has it: then nothing can be learned.
        prm: None in a line that has none.
        exact: The PRM's yardstick: the same model trained on the same steps with exact labels.
    """

    policy: Path | None
    prm: Path | None = None
    exact: Path | None = None

    def digests(self) -> dict[str, str]:
        """For the inputs of a stage."""
        named = {"policy": self.policy, "prm": self.prm, "exact": self.exact}
        return {name: provenance.digest_dir(path) for name, path in named.items() if path is not None}


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

    A stage sees the traces of its own round and of all before it, in the order they were found.
    """

    def __init__(self, experiment: Experiment, teacher: Teacher, start: Models) -> None:
        self.teacher = teacher
        self.models = start
        self._start = start
        self._it = experiment
        self._traces: list[Stage] = []
        self._prefix = "" if teacher is Teacher.SEARCH else f"controls/{teacher}/"

    def learn(self, number: int) -> tuple[dict[str, float], int]:
        """Go through round `number`. Returns the seconds of its stages and the tokens generated."""
        seconds: dict[str, float] = {}
        tokens = 0
        if self.teacher is not Teacher.BASE_ONLY:
            found = self._search(number)
            traces = self._verify(number, found)
            self._traces.append(traces)
            tokens = int(found.result["tokens_generated"])
            seconds |= {"search": found.seconds, "verify": traces.seconds}
        policy = self._retrain_policy(number)
        seconds["policy"] = policy.seconds
        prm = exact = None
        if self.models.prm is not None:
            prm = self._retrain_prm(number, "prm", self.models.prm)
            seconds["prm"] = prm.seconds
        if self.models.exact is not None:
            exact = self._retrain_prm(number, "prm-exact", self.models.exact)
        self.models = Models(policy.folder, prm.folder if prm else None, exact.folder if exact else None)
        return seconds, tokens

    def stage_name(self, number: int, name: str) -> str:
        """The folder of a stage of this line."""
        return f"{self._prefix}round-{number}/{name}"

    # --- traces -----------------------------------------------------------------------------------------------------

    def _search(self, number: int) -> Stage:
        """Grow a tree for each fresh problem. No gold answer is in reach."""
        it, config = self._it, self._it.config
        name = self.stage_name(number, "search")
        problems = it.fresh(number)
        is_search = self.teacher is Teacher.SEARCH
        best_of_n = BestOfN(temperature=it.strategy.search.temperature)
        strategy = it.strategy if is_search else dataclasses.replace(it.strategy, search=best_of_n)

        def work(folder: Path) -> dict[str, Any]:
            queries = [
                strategy.query(graded.problem, it.round_budget, config.seed, "search", number) for graded in problems
            ]
            trees = grow(
                queries,
                policy_of(config, self.models.policy),
                scorer_of(config, self.models.prm) if self.models.prm else None,
                config.scheduler,
                checker=it.checker,
                critic=critic_of(config, self.models.policy, strategy),
                scratch=it.run.scratch(name),
                what=f"round {number}, {'searching' if is_search else 'sampling for rest_em'}",
            )
            write_trees(folder, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
            return {"tokens_generated": sum(tree.spent.tokens_generated for tree in trees)}

        return it.run.stage(name, inputs=self.models.digests() | {"problems": digest_of(problems)}, work=work)

    def _verify(self, number: int, found: Stage) -> Stage:
        """Judge every solution against the gold answer and infer a label for every step."""
        it = self._it
        answers = {graded.problem.id: graded for graded in it.fresh(number)}

        def work(folder: Path) -> dict[str, Any]:
            trees = [judged(it.task, answers[one.tree.problem.id], one.tree) for one in read_trees(found.folder)]
            write_trees(folder, trees)
            solved = [any(outcome is Outcome.CORRECT for outcome in tree.outcomes.values()) for tree in trees]
            return {"problems": len(trees), "solved": sum(solved)}

        return it.run.stage(self.stage_name(number, "traces"), inputs={"search": found.digest}, work=work)

    # --- models -----------------------------------------------------------------------------------------------------

    def _retrain_policy(self, number: int) -> Stage:
        """Supervised fine-tuning on selected traces, with base demonstrations mixed in, or on these alone."""
        it, config = self._it, self._it.config
        seed = seed_of(config.seed, "policy", number)
        start = self._start.policy if config.round.restart else self.models.policy
        assert start is not None

        def work(folder: Path) -> dict[str, Any]:
            examples, counts = self._policy_examples(start, seed)
            if not examples:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                return counts
            end_engines()
            with track(f"round {number}, policy of {self.teacher}") as advance:
                result = train_policy(
                    start, examples, folder, it.policy_settings, seed=seed, progress=base.reporter(advance)
                )
            return counts | without_seconds(result)

        inputs = {"policy": provenance.digest_dir(start), "traces": [stage.digest for stage in self._traces]}
        return it.run.stage(self.stage_name(number, "policy"), inputs=inputs, work=work)

    def _policy_examples(self, start: Path, seed: int) -> tuple[list[Example], dict[str, Any]]:
        it, config = self._it, self._it.config
        tokenizer = load_tokenizer(start)
        selected = [
            trace
            for stage in self._traces
            for trace in policy_traces(
                read_trees(stage.folder), it.task, per_problem=config.round.traces_per_problem, seed=config.seed
            )
        ]
        if self.teacher is Teacher.BASE_ONLY:
            steps = it.policy_settings.max_steps
            replay = it.policy_settings.batch_size * steps if steps else config.policy.base.demonstrations
        else:
            replay = round(config.round.replay * len(selected))
        replayed = embedded(it.task).demonstrations(replay, seed) if replay else []
        prompt = prompt_of(config)
        examples = [from_steps(tokenizer, prompt, question, steps) for question, steps in selected]
        examples += [from_demonstration(tokenizer, prompt, d.question, d.steps) for d in replayed]
        return examples, {"traces": len(selected), "replayed": len(replayed)}

    def _retrain_prm(self, number: int, name: str, start: Path) -> Stage:
        """Train a PRM on the labelled steps of all trees, good and bad; its yardstick on the truth about the same."""
        it, config = self._it, self._it.config
        start = (self._start.prm or start) if config.prm.restart else start
        seed = seed_of(config.seed, "prm", number)

        def work(folder: Path) -> dict[str, Any]:
            states = self._prm_states()
            if name == "prm-exact":
                problems = [graded for past in range(1, number + 1) for graded in it.fresh(past)]
                states = exactly_labelled(states, it.task, problems, config.prm.labels)
            known = base.known_steps(it.task, config.prm.labels, round(config.prm.replay * len(states)), seed)
            if not states:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                return {"states": 0}
            end_engines()
            with track(f"round {number}, {name}") as advance:
                result = train_prm(
                    config.prm,
                    start,
                    states + known,
                    folder,
                    it.prm_settings,
                    seed=seed,
                    progress=base.reporter(advance),
                )
            return {"states": len(states), "replayed": len(known)} | without_seconds(result)

        inputs = {"prm": provenance.digest_dir(start), "traces": [stage.digest for stage in self._traces]}
        return it.run.stage(self.stage_name(number, name), inputs=inputs, work=work)

    def _prm_states(self) -> list[LabelledState]:
        config = self._it.config
        return [
            state
            for stage in self._traces
            for state in prm_states(
                read_trees(stage.folder),
                config.prm.labels,
                per_problem=config.prm.states_per_problem,
                seed=config.seed,
                weights=config.prm.weights,
            )
        ]


def without_seconds(result: dict[str, float]) -> dict[str, float]:
    """What a training returned, without the clock."""
    return {key: value for key, value in result.items() if key != "seconds"}
