"""The door `regrow view`: trees of a trace store, a run or a single search as one offline page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from mcts.errors import InputError
from regrow import atomic
from regrow.config import Config, ViewConfig
from regrow.report import read_report
from regrow.report_plots import Figure, accuracy
from regrow.view.page import page
from regrow.view.searched import searched_problems
from regrow.view.stored import stored_problems
from regrow.view.tree_data import Data


def view(config: Config) -> None:
    """Write the page `out`.

    Raises:
        InputError: A setting that cannot be, or nothing to show; `out` is as it was.
    """
    settings = config.view
    out = _out(settings)
    problems, figure = _shown(settings)
    html = page(_title(settings), problems, figure)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(out, html)
    except OSError as error:
        raise InputError(f"out={out}: {error.strerror}, expected a file that can be written") from error
    told = {"out": str(out), "problems": len(problems), "trees": sum(len(one["trees"]) for one in problems)}
    print(json.dumps(told) if config.output == "json" else ", ".join(f"{key} {value}" for key, value in told.items()))


def _shown(settings: ViewConfig) -> tuple[list[Data], Figure | None]:
    """The problems to show and, of a run, its curves."""
    if settings.run is not None:
        from regrow.view.measured import measured_problems

        report = read_report(Path(settings.run) / "report.json")
        rounds = [dataclasses.asdict(done) for done in report.rounds]
        problems = measured_problems(Path(settings.run), report, settings.problem, settings.count)
        return problems, accuracy(rounds)
    if settings.traces is not None:
        return stored_problems(Path(settings.traces), settings.problem, settings.count), None
    assert settings.search is not None
    found = searched_problems(Path(settings.search))
    problems = [one for one in found if settings.problem in (None, one["id"])][: settings.count]
    if not problems:
        raise InputError(f"search={settings.search}: no tree of problem={settings.problem}")
    return problems, None


def _out(settings: ViewConfig) -> Path:
    if settings.out is None:
        raise InputError("no out, expected out=FILE.html")
    given = [key for key in ("traces", "run", "search") if getattr(settings, key) is not None]
    if len(given) != 1:
        raise InputError(
            f"{' and '.join(given) or 'nothing'} to show, expected one of traces=DIR, run=DIR, search=FILE"
        )
    if settings.count < 1:
        raise InputError(f"config view.count={settings.count}: expected at least 1")
    out = Path(settings.out)
    if out.is_dir():
        raise InputError(f"out={out}: is a folder, expected a file")
    return out


def _title(settings: ViewConfig) -> str:
    return str(settings.traces or settings.run or settings.search)
