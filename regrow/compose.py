"""Hydra's part: compose the configuration from `conf/` and the overrides, and hand it to a job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from itertools import product
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from transformers.utils.logging import disable_progress_bar

from mcts.errors import InputError
from regrow.config import Config, register, resolve

LONGEST_COMPLAINT = 400
NO_OUTPUT = ("hydra.run.dir=.", "hydra.output_subdir=null")
"""Overrides for a command that leaves nothing behind."""


def run_composed(command: str, overrides: Sequence[str], job: Callable[[Config], None]) -> None:
    """Compose the configuration and run `job` with it, in Hydra's frame (`-m` sweeps, `--cfg`, `.hydra/` records).

    Raises:
        InputError: The configuration cannot be composed: an unknown key or group, a value of the wrong type.
    """
    register()
    disable_progress_bar()
    complaints: list[InputError] = []  # kept out of Hydra's sight: it would add a line of its own

    @hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
    def main(node: DictConfig) -> None:
        try:
            with _one_line():
                config = resolve(node)
            job(config)
        except InputError as error:
            complaints.append(error)

    with _as_argv([f"regrow {command}", *overrides]), _one_line():
        main()
    if complaints:
        raise complaints[0]


def composed(overrides: Sequence[str]) -> Config:
    """The configuration with these overrides, outside of a command.

    Raises:
        InputError: As `run_composed` does.
    """
    register()
    disable_progress_bar()
    with _one_line(), _beside_another_hydra(), hydra.initialize_config_module("conf", version_base="1.3"):
        return resolve(hydra.compose("config", overrides=list(overrides)))


def search_nodes(strategies: Sequence[str]) -> list[Any]:
    """The configuration of each search named in `strategies`, as `search=NAME` would give it.

    To be called within `run_composed`.

    Args:
        strategies: Each a preset, and settings of its own behind it: `"step_beam beams=2 name=narrow"`.

    Raises:
        InputError: A strategy or setting that does not exist.
    """
    return [node for words in strategies for node in search_grid(words, {})]


def search_grid(words: str, axes: Mapping[str, Sequence[str]]) -> list[Any]:
    """The configurations of one search with every combination of values, the last axis changing fastest.

    To be called within `run_composed`.

    Args:
        words: As of `search_nodes`.
        axes: Names of its settings -> values as they are written on a command line.

    Raises:
        InputError: A strategy, setting or value that cannot be.
    """
    name, *settings = words.split() or [""]
    if name not in (known := preset_names()):
        raise InputError(f"config strategies: {name or 'no name'}, expected one of {', '.join(known)}")
    parser = OverridesParser.create()
    with _one_line():
        whole = hydra.compose("config", overrides=[f"search={name}", *(f"search.{one}" for one in settings)])
        nodes = []
        for values in product(*axes.values()):
            for key, value in zip(axes, values, strict=True):
                OmegaConf.update(whole.search, key, parser.parse_override(f"{key}={value}").value())
            nodes.append(OmegaConf.to_object(whole.search))
    return nodes


def preset_names() -> list[str]:
    """The presets of `conf/search`, in alphabetical order."""
    return sorted(path.name.removesuffix(".yaml") for path in files("conf").joinpath("search").iterdir())


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn the errors of Hydra and OmegaConf, which speak in paragraphs, into one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        reason = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException | HydraException) else None
        lines = [line.strip() for text in (error, reason) if text for line in str(text).splitlines() if line.strip()]
        kept = [line for line in dict.fromkeys(lines) if not line.startswith(("full_key", "object_type", "See "))]
        raise InputError(f"config: {' '.join(kept)[:LONGEST_COMPLAINT]}") from error
    except PermissionError as error:
        raise InputError(f"run.dir: {error.filename} is not writable, expected a folder of yours") from error
    except (NotADirectoryError, FileExistsError) as error:
        raise InputError(f"run.dir: {error.filename} is a file, expected a folder") from error


@contextmanager
def _beside_another_hydra() -> Iterator[None]:
    """Hydra's state is global, and may be the caller's: set it aside."""
    before, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


@contextmanager
def _as_argv(words: list[str]) -> Iterator[None]:
    """Hydra reads `sys.argv`, and hides tracebacks unless told not to."""
    argv, sys.argv = sys.argv, words
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        sys.argv = argv
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
