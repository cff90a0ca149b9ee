"""The doors `regrow train` and `regrow evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

from mcts.errors import InputError
from regrow.config import LASER, RECORDED, WITHOUT_WEIGHTS, Config
from regrow.contest import contest
from regrow.prm_bench import prm_bench
from regrow.report import Report
from regrow.rounds import REPORT_HTML, run_rounds
from regrow.rounds_estimate import show_estimate


def train(config: Config) -> None:
    """Run the rounds and say where the report lies.

    Raises:
        InputError: The policy is no checkpoint here.
    """
    if config.policy.engine in WITHOUT_WEIGHTS:
        raise InputError(f"policy={config.policy.engine}: has no weights here to retrain, expected another policy")
    if config.prm.engine == LASER:
        raise InputError("prm=laser: is no PRM to retrain, expected it with regrow evaluate or search")
    if config.dry_run:
        show_estimate(config, "train", rounds=config.round.count)
        return
    _tell(config, run_rounds(config, "train", count=config.round.count))


def evaluate(config: Config) -> None:
    """Measure the models to start from: round 0 of a run without rounds, a contest of strategies, or the PRM alone."""
    if config.prm.bench:
        prm_bench(config)
        return
    if config.dry_run:
        show_estimate(config, "evaluate", rounds=0)
        return
    if config.strategies:
        contest(config)
        return
    if config.policy.engine == RECORDED:
        raise InputError("policy=recorded: expected strategies=[best_of_n,self_consistency,weighted_vote]")
    _tell(config, run_rounds(config, "evaluate", count=0))


def _tell(config: Config, report: Report) -> None:
    if config.output == "json":
        print(json.dumps(report.as_dict()))
        return
    for row in report.rounds:
        shares = "  ".join(f"{name} {cell.accuracy:.3f}" for name, cell in row.eval.items())
        print(f"round {row.round}: {shares}")
    print(f"report: {Path(config.run.dir) / REPORT_HTML}")
