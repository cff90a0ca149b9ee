"""The door `regrow research`: what other settings would have chosen, and at which cost, told by stored trees."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mcts.budget import Unit
from mcts.errors import InputError
from regrow import provenance
from regrow.build import check_choices, checker_of, scorer_of, task_of
from regrow.config import RECORDED, Config
from regrow.export.source import stores, verified_trees
from regrow.progress import track
from regrow.research.findings import findings, show, write
from regrow.research.settings import settings_of_grids
from regrow.research.stored import NO_VALUES, VALUES, stored_trees, with_values
from regrow.research.tally import Tally, Terms
from regrow.trace_store import count_trees

TREES_AT_ONCE = 1024
SUFFIXES = (".csv", ".json")


def research(config: Config) -> None:
    """Search the trees of `traces` again under all `strategies`, up to all `budgets`; print the table.

    Raises:
        InputError: A setting that cannot be, or trees that cannot be searched again.
    """
    out = _out(config)
    folders = stores(_traces(config))
    task = task_of(config)
    terms = Terms(
        budgets=_budgets(config),
        unit=Unit(config.evaluate.unit),
        checker=checker_of(config, task),
        scored=config.research.values != NO_VALUES,
        max_depth=config.scheduler.max_depth,
    )
    tally = Tally(settings_of_grids(config.strategies, config, task), terms)
    scorer = scorer_of(config, Path(config.prm.path)) if config.prm.path and terms.scored else None
    with track(f"{len(tally.settings)} settings", sum(map(count_trees, folders))) as advance:
        for group in stored_trees(verified_trees(folders), TREES_AT_ONCE):
            tally.add(with_values(group, config.research.values, scorer, config.seed))
            advance(tally.trees)
    if not tally.trees:
        raise InputError(f"traces={config.research.traces}: every search was given up, expected finished trees")
    rows = findings(tally, hides_choice=terms.checker is not None)
    if out is not None:
        write(out, rows, _about(config, tally))
    if config.output == "json":
        print(json.dumps(_about(config, tally) | {"findings": [dataclasses.asdict(row) for row in rows]}))
        return
    show(rows, config.research.show)
    print(f"{tally.trees:,} trees, {len(tally.settings):,} settings" + (f"; all rows: {out}" if out else ""))


def _about(config: Config, tally: Tally) -> dict[str, Any]:
    return {
        "command": "research",
        "commit": provenance.commit(),
        "hardware": provenance.hardware(),
        "traces": config.research.traces,
        "values": config.research.values,
        "prm": config.prm.path,
        "checker": tally.terms.checker is not None,
        "unit": tally.terms.unit.value,
        "trees": tally.trees,
        "settings": len(tally.settings),
    }


def _traces(config: Config) -> Path:
    settings = config.research
    check_choices(config)
    if settings.traces is None:
        raise InputError("no traces, expected traces=DIR (a trace store, a run, or a folder of stores)")
    if settings.values not in VALUES:
        raise InputError(f"config research.values={settings.values}: expected one of {', '.join(VALUES)}")
    if settings.show < 0:
        raise InputError(f"config research.show={settings.show}: expected 0 or more")
    if config.prm.engine == RECORDED:
        raise InputError("prm=recorded: has no scores for stored trees, expected prm=hf, vllm or laser")
    return Path(settings.traces)


def _budgets(config: Config) -> tuple[int, ...]:
    budgets = tuple(config.budgets)
    if not budgets or list(budgets) != sorted({budget for budget in budgets if budget > 0}):
        unit = config.evaluate.unit
        raise InputError(f"config budgets={list(budgets)}: expected one or more ascending numbers of {unit}, from 1")
    return budgets


def _out(config: Config) -> Path | None:
    if config.out is None:
        return None
    out = Path(config.out)
    if out.suffix not in SUFFIXES or out.is_dir():
        raise InputError(f"out={out}: expected a file that ends in {' or '.join(SUFFIXES)}")
    return out
