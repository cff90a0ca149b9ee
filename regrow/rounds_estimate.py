"""What `regrow train` and `regrow evaluate` would cost."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mcts.budget import Budget
from mcts.scheduler import Scheduler
from mcts.search import BestOfN
from mcts.tree import SearchTree
from mcts.walk import Query
from regrow.build import policy_of, scorer_of, strategy_of
from regrow.compose import search_nodes
from regrow.config import Config
from regrow.estimate import PILOT, Part, reckoned, show
from regrow.evaluation import GREEDY
from regrow.experiment import Experiment
from regrow.learner import Teacher
from regrow.lessons_shown import show_lessons
from regrow.manifest import open_run
from regrow.panel import panel_of
from regrow.rounds import start_models
from regrow.sampling import sampler
from regrow.strategy import Strategy
from regrow.tasks.task import GradedProblem

SEARCHES, DIAGNOSED = 2, 4
"""Searches a held-out problem gets: with the PRM and best-of-N, and with `evaluate.diagnosis` two more."""


def show_estimate(config: Config, command: str, *, rounds: int) -> None:
    """Print the cost of `rounds` rounds and their evaluations, or of a contest, and what lessons look like.

    Nothing is left behind.

    The models to start from are fitted if there are none yet: without them nothing can be measured.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        open_run(Path(folder) / "run", command, {}) as run,
    ):
        it = Experiment(config, run)
        models, _ = start_models(config, it, run)
        policy = policy_of(config, models.policy)
        scorer = scorer_of(config, models.prm) if models.prm else None

        def part(name: str, trees: int, strategy: Strategy, budget: Budget, some: Iterable[GradedProblem]) -> Part:
            queries = [strategy.query(graded.problem, budget, config.seed, "estimate") for graded in some]

            def searched(asked: list[Query]) -> Iterable[SearchTree]:
                limits = config.scheduler
                panel = panel_of(config, models, strategy)
                return Scheduler(
                    policy,
                    scorer,
                    panel=panel,
                    checker=it.checker,
                    max_depth=limits.max_depth,
                    max_tokens=limits.max_tokens,
                    trees_at_once=limits.trees_at_once,
                    silence_s=limits.silence_s,
                ).run(asked)

            return reckoned(name, trees, queries, searched)

        held_out = it.held_out[:PILOT]
        if config.strategies:
            budget = Budget(tokens=max(config.budgets or [config.evaluate.budget.tokens or 0]))
            trees = min(config.evaluate.drawn, len(it.held_out)) * config.evaluate.seeds
            contestants = [strategy_of(node, config, it.task) for node in search_nodes(config.strategies)]
            show([part(one.name, trees, one, budget, held_out) for one in contestants], [])
            return
        evaluations = 1 + rounds * (1 + len(config.round.controls))
        once, drawn = Budget(simulations=1), min(config.evaluate.drawn, len(it.held_out)) * evaluations
        sample = Strategy(BestOfN(width=config.evaluate.samples, name="sample"))
        each = DIAGNOSED if config.evaluate.diagnosis else SEARCHES
        parts = [
            part("evaluation, greedy", len(it.held_out) * evaluations, GREEDY, once, held_out),
            part("evaluation, samples", drawn, sample, once, held_out),
            part("evaluation, searches", each * drawn, it.strategy, it.evaluate_budget, held_out),
        ]
        if rounds:
            searching = 1 + (Teacher.REST_EM in config.round.controls)
            trees = rounds * searching * len(it.fresh(1))
            few = it.fresh(1)[:PILOT]
            parts.insert(0, part("rounds, searches", trees, it.strategy, it.round_budget, few))
            for need, count in it.objective.needs().items():
                parts.insert(1, part(f"rounds, {need}", rounds * len(it.fresh(1)), sampler(it, count), once, few))
            if it.validation:
                sides = 2 * searching if it.gate.policy else 1
                trees = rounds * sides * len(it.validation)
                parts.append(part("gates, samples", trees, sampler(it, it.gate.samples), once, it.validation[:PILOT]))
        show(parts, _training(config) if rounds else [])
        if rounds:
            show_lessons(it, models)


def _training(config: Config) -> list[str]:
    """What is trained, which takes time that is not reckoned here."""
    lines = []
    for name, node in (("policy", config.policy.train), ("PRM", config.prm.train)):
        steps = dataclasses.asdict(node)["max_steps"]
        told = f"{steps} steps" if steps else f"{node.epochs} passes over the traces"
        each = node.batch_size * node.accumulate
        lines.append(f"Training the {name}, each round: {told} of {each} sequences; not timed here.")
    return lines
