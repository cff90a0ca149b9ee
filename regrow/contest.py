"""A contest: strategies on the same problems, compared at equal numbers of generated tokens or simulations.

Each strategy searches once, with the largest budget; its answers at the smaller ones are those of the trees at their
marks. So a curve over budgets costs what its last point costs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcts.budget import Budget, Unit
from mcts.errors import InputError
from mcts.ports import StepScorer
from mcts.tree import SearchTree
from prm.fixed import ConstantScorer
from regrow import atomic
from regrow.build import checker_of, policy_of, prompt_of, recorded_of, scorer_of, strategy_of
from regrow.compose import search_nodes
from regrow.config import RECORDED, Config
from regrow.contest_report import REPORT_JSON, show, write_report
from regrow.diagnosis import InvertedScorer, OracleScorer
from regrow.engines import Engines
from regrow.evaluation import answered
from regrow.experiment import Experiment, digest_of
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.manifest import Stage, open_run
from regrow.models import Models
from regrow.panel import panel_of
from regrow.record import MAY_DIFFER, recorded
from regrow.recorded_scores import recorded_scorer
from regrow.rounds import start_models
from regrow.standings import Entry, standings
from regrow.strategy import Strategy

SCORES = "scores.json"


def contest(config: Config) -> None:
    """Run the contest of `strategies` at `budgets` and write its report into the run directory.

    Raises:
        InputError: A strategy or budget that cannot be.
    """
    folder = Path(config.run.dir)
    with open_run(folder, "evaluate", recorded(config), ignore=MAY_DIFFER) as run:
        it = Experiment(config, run)
        strategies = [strategy_of(node, config, it.task) for node in search_nodes(config.strategies)]
        names = [strategy.name for strategy in strategies]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise InputError(f"config strategies: {repeated} twice, expected different names (add name=...)")
        budgets = _budgets(config)
        models, _ = start_models(config, it, run)
        entries: dict[str, list[Entry]] = {}
        accounts = []
        for strategy in strategies:
            stages = [
                _search(it, strategy, models, budgets, seed)
                for seed in range(config.seed, config.seed + config.evaluate.seeds)
            ]
            entries[strategy.name] = [_read(stage) for stage in stages]
            accounts += [stage.result for stage in stages]
        table = standings(strategies, entries, budgets, hides_choice=checker_of(config, it.task) is not None)
        page = write_report(run, config.seed, table, accounts, Unit(config.evaluate.unit))
    if config.output == "json":
        print((page.parent / REPORT_JSON).read_text(encoding="utf-8"))
        return
    show(table)
    print(f"report: {page}")


def _budgets(config: Config) -> tuple[int, ...]:
    """The budgets; where none are given and the samples are, the powers of two up to their number."""
    unit, budgets = config.evaluate.unit, tuple(config.budgets)
    if not budgets and config.policy.engine == RECORDED and unit == Unit.SIMULATIONS:
        return tuple(1 << i for i in range(recorded_of(config).most.bit_length()))
    budgets = budgets or (getattr(config.evaluate.budget, unit) or 0,)
    if list(budgets) != sorted({budget for budget in budgets if budget > 0}):
        raise InputError(f"config budgets={list(budgets)}: expected ascending numbers of {unit}, from 1")
    return budgets


def _search(it: Experiment, strategy: Strategy, models: Models, budgets: tuple[int, ...], seed: int) -> Stage:
    """One strategy on all problems with one seed."""
    config = it.config
    name = f"contest/{strategy.name}-{seed}"
    problems = it.held_out[: config.evaluate.drawn]

    def work(folder: Path) -> dict[str, Any]:
        unit = Unit(config.evaluate.unit)
        budget = Budget(tokens=budgets[-1]) if unit is Unit.TOKENS else Budget(simulations=budgets[-1])
        queries = [
            strategy.query(graded.problem, budget, seed, "contest", marks=budgets, unit=unit) for graded in problems
        ]
        engines = Engines(
            Lazy(policy_of, dataclasses.replace(config, seed=seed), models.policy),
            _scorer(it, models, strategy),
            Lazy(panel_of, config, models, strategy),
            it.checker,
        )
        grown = grow(queries, engines, config, scratch=it.run.scratch(name), what=f"{strategy.name}, seed {seed}")
        trees = grown.trees
        correct = [
            [answered(it.task, strategy, graded, tree) for graded, tree in zip(problems, at_mark, strict=True)]
            for at_mark in _by_mark(trees)
        ]
        tokens = [[tree.spent.tokens_generated for tree in at_mark] for at_mark in _by_mark(trees)]
        atomic.write_json(folder / SCORES, {"correct": correct, "tokens": tokens})
        spent = [tree.spent for tree in trees]
        return {
            "strategy": strategy.name,
            "seed": seed,
            "problems": len(trees),
            "failed": sum(bool(tree.failure) for tree in trees),
            "tokens_generated": sum(one.tokens_generated for one in spent),
            "counted_by_policy": grown.counted,
            "tokens_scored": sum(one.tokens_scored for one in spent),
            "policy_calls": sum(one.policy_calls for one in spent),
            "scorer_calls": sum(one.scorer_calls for one in spent),
            "nodes": sum(one.nodes for one in spent),
        }

    inputs = models.digests() | {
        "problems": digest_of(problems),
        "strategy": dataclasses.asdict(strategy),
        "values": config.evaluate.values,
    }
    if config.policy.engine == RECORDED:
        inputs["recorded"] = recorded_of(config).digest
    return it.run.stage(name, inputs=inputs, work=work)


def _scorer(it: Experiment, models: Models, strategy: Strategy) -> Lazy[StepScorer | None]:
    """What `evaluate.values` names."""
    match it.config.evaluate.values:
        case "oracle":
            return Lazy(OracleScorer, it.task, it.held_out)
        case "constant":
            return Lazy(ConstantScorer)
        case values:
            return Lazy(_inverted if values == "inverted" else _prm, it.config, models.prm, strategy)


def _inverted(config: Config, path: Path | None, strategy: Strategy) -> StepScorer | None:
    scorer = _prm(config, path, strategy)
    return InvertedScorer(scorer) if scorer else None


def _prm(config: Config, path: Path | None, strategy: Strategy) -> StepScorer | None:
    if config.prm.engine == RECORDED:
        return recorded_scorer(recorded_of(config), prompt_of(config).delimiter, strategy)
    return scorer_of(config, path) if path else None


def _by_mark(trees: Sequence[SearchTree]) -> list[tuple[SearchTree, ...]]:
    return list(zip(*(tree.at_marks for tree in trees), strict=True))


def _read(stage: Stage) -> Entry:
    found = json.loads((stage.folder / SCORES).read_text(encoding="utf-8"))
    return Entry(np.asarray(found["correct"], np.float64), np.asarray(found["tokens"], np.float64))
