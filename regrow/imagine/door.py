"""The door `regrow imagine`: problems that a policy makes, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mcts.errors import InputError
from regrow import base
from regrow.config import WITHOUT_WEIGHTS, Config
from regrow.experiment import Experiment, digest_of
from regrow.imagine.filters import Dropped
from regrow.imagine.imagine import ASKED, KEPT, imagine
from regrow.imagine.imagined import IMAGINED_FILE
from regrow.manifest import open_run
from regrow.models import Models
from regrow.record import MAY_DIFFER, recorded

STAGE = "imagined"


def imagine_alone(config: Config) -> None:
    """Have the policy make problems of the training problems, in `run.dir`, or go on where an earlier start stopped.

    There is no round before, so no failures to start from.

    Raises:
        InputError: A setting that cannot be, or nothing to ask for.
    """
    if config.dry_run:
        raise InputError("dry_run=true: expected regrow train, evaluate or generate, which know what they would cost")
    folder = Path(config.run.dir)
    with open_run(folder, "imagine", recorded(config), ignore=MAY_DIFFER) as run:
        it = Experiment(config, run)
        if not it.imagination.count:
            raise InputError("imagine.count=0: expected how many, such as imagine=arithmetic, imagine=llm or count=200")
        problems = it.fresh(1)
        policy = Path(config.policy.path) if config.policy.path else None
        if policy is None and config.policy.engine not in WITHOUT_WEIGHTS:
            policy = base.base_policy(config, it.task)
        work = partial(imagine, it, policy, [graded.problem for graded in problems], [], number=0, name=STAGE)
        inputs = Models(policy).digests() | {"problems": digest_of(problems)}
        stage = run.stage(STAGE, inputs=inputs, work=work)
    if config.output == "json":
        print(json.dumps({**stage.result, "out": str(stage.folder / IMAGINED_FILE)}))
        return
    show(stage.result)
    print(f"problems: {stage.folder / IMAGINED_FILE}")


def show(result: Mapping[str, Any]) -> None:
    """Print what became of the replies, a row a way."""
    reasons = [reason for reason in Dropped if reason in result["dropped"]]
    table = Table("way", ASKED, KEPT, *reasons, box=None, pad_edge=False)
    total = {ASKED: result[ASKED], KEPT: result[KEPT], **result["dropped"]}
    for way, counts in (*result["ways"].items(), ("together", total)):
        table.add_row(way, *(str(counts.get(column, 0)) for column in (ASKED, KEPT, *reasons)))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"{result['tokens_generated']:,} tokens generated")
