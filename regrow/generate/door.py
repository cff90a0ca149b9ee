"""The door `regrow generate`: problems in, a data set out."""

from __future__ import annotations

import json
from pathlib import Path

from mcts.errors import InputError
from regrow import atomic
from regrow.config import Config
from regrow.generate.card import card
from regrow.generate.estimate import show_estimate
from regrow.generate.generation import Generation
from regrow.generate.plan import Plan
from regrow.manifest import open_run
from regrow.progress import console
from regrow.record import MAY_DIFFER, recorded

REPORT, CARD = "report.json", "README.md"


def generate(config: Config) -> None:
    """Generate the data set of a configuration in `run.dir`, or go on where an earlier start was stopped.

    Raises:
        InputError: A setting or a row that cannot be, or what lies in the folder was made from others.
    """
    plan = Plan(config)
    if config.dry_run:
        show_estimate(plan)
        return
    folder = Path(config.run.dir)
    with open_run(folder, "generate", recorded(config), ignore=MAY_DIFFER) as run:
        generation = Generation(plan, folder)
        generation.run()
        report = {name: dict(counts) for name, counts in generation.totals.items()}
        if "kept" not in report:
            raise InputError(f"no problem is left to search: {report['read']}")
        atomic.write_text(folder / CARD, card(run.manifest, report, plan))
        atomic.write_json(folder / REPORT, report)
    if config.output == "json":
        print(json.dumps(report))
        return
    kept, problems = report["kept"], report["problems"]
    console.print(f"{kept['solutions']} solutions of {kept['problems']} problems; {problems['searched']} were searched")
    print(f"data set: {folder / CARD}")
