"""The door `regrow export`: traces as data of another program, in a folder that `datasets.load_dataset` opens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcts.errors import InputError
from regrow import atomic
from regrow.build import prompt_of
from regrow.config import Config, ExportConfig
from regrow.export.card import is_export, write_card
from regrow.export.formats import FORMATS, Format
from regrow.export.hub import push
from regrow.export.recipe import Recipe
from regrow.export.rows import Row, schema_of
from regrow.export.shards import write_shards
from regrow.export.source import one_a_problem, stores, verified_trees, written
from regrow.selection import NODE_LABELS


def export(config: Config) -> None:
    """Write `traces` in a format into `out`, and push `out` to the hub if `hub` names a place there.

    Without `traces`, the folder `out` is pushed as it is.

    Raises:
        InputError: A setting that cannot be, or traces without a row of the format; `out` is as it was.
    """
    settings = config.export
    out = _out(settings)
    told: dict[str, str | int] = {"out": str(out)}
    if settings.traces is not None:
        told |= _write(config, Path(settings.traces), out)
    if settings.hub is not None:
        told["hub"] = push(out, settings.hub)
    print(json.dumps(told) if config.output == "json" else ", ".join(f"{key} {value}" for key, value in told.items()))


def _write(config: Config, traces: Path, out: Path) -> dict[str, int]:
    settings = config.export
    name = settings.format or ""
    _check(settings)
    if out.exists() and any(out.iterdir()) and not is_export(out):
        raise InputError(f"out={out}: has other files, expected a new folder or an earlier export")
    folders = stores(traces)
    form = FORMATS[name]
    recipe = Recipe(
        prompt=prompt_of(config),
        task=config.task.name,
        labels=settings.labels,
        per_problem=settings.per_problem,
        margin=settings.margin,
        split=settings.split,
        date=written(folders),
        seed=config.seed,
    )
    schema, counts = schema_of(form.columns, recipe), {"trees": 0}
    with _writable(out), atomic.directory(out) as folder:
        counts["rows"] = write_shards(
            folder,
            _rows(folders, form, recipe, counts),
            schema,
            form.suffix,
            lambda number: form.name(recipe) if form.name else f"{recipe.split}-{number:05d}",
            2**63 if form.name else settings.rows_per_file,
        )
        if not counts["rows"]:
            raise InputError(f"traces={traces}: nothing for format={name} in {counts['trees']} trees")
        if form.finish:
            form.finish(folder, recipe)
        write_card(folder, name, form, recipe, schema, **counts)
    return counts


def _rows(folders: list[Path], form: Format, recipe: Recipe, counts: dict[str, int]) -> Iterator[Row]:
    trees = verified_trees(folders)
    for index, verified in enumerate(one_a_problem(trees) if form.is_per_problem else trees):
        counts["trees"] = index + 1
        yield from form.rows(verified, recipe, index)


def _out(settings: ExportConfig) -> Path:
    if settings.out is None:
        raise InputError("no out, expected out=DIR")
    if settings.traces is None and settings.hub is None:
        raise InputError("no traces, expected traces=DIR; or hub=NAME, to push the folder of out=DIR as it is")
    out = Path(settings.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"out={out}: is a file, expected a folder")
    return out


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(f"out={out}: {error.strerror}, expected a folder that can be written") from error


def _check(settings: ExportConfig) -> None:
    for key, chosen, known in (("format", settings.format, FORMATS), ("labels", settings.labels, NODE_LABELS)):
        if chosen not in known:
            raise InputError(f"config export.{key}={chosen or 'null'}: expected one of {', '.join(known)}")
    if not re.fullmatch(r"\w+(\.\w+)*", settings.split):
        raise InputError(f"config export.split={settings.split}: expected a word, such as train")
    for key, count in (("per_problem", settings.per_problem), ("rows_per_file", settings.rows_per_file)):
        if count is not None and count < 1:
            raise InputError(f"config export.{key}={count}: expected at least 1")
    if not settings.margin > 0:
        raise InputError(f"config export.margin={settings.margin}: expected more than 0")
