"""Hydra's part: compose the configuration from `conf/` and the overrides, and hand it to a job."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from regrow.complaint import check_flags, complaint
from regrow.config import Config, register, resolve
from regrow.sweep import RunFailedError, Sweep

MULTIRUN = frozenset(("-m", "--multirun"))
_OVERRIDE = re.compile(r"[^-].*=.*|~.*", re.DOTALL)
NO_OUTPUT = ("hydra.run.dir=.", "hydra.output_subdir=null")
"""Overrides for a command that leaves nothing behind."""


def run_composed(command: str, overrides: Sequence[str], job: Callable[[Config], None], *, sweeps: bool = False) -> str:
    """Compose the configuration and run `job` with it, in Hydra's frame (`-m` sweeps, `--cfg`, `.hydra/` records).

    The runs of a sweep are processes of their own, which come here again without `-m`.

    Args:
        sweeps: Whether the command may be swept.

    Returns:
        What failed of a sweep, in one line; else nothing.

    Raises:
        InputError: The configuration cannot be composed: an unknown key or group, a value of the wrong type; or `-m`
            where it is not taken.
    """
    is_sweep = not MULTIRUN.isdisjoint(overrides)
    if is_sweep and not sweeps:
        raise InputError(f"`regrow {command}` takes no -m, expected a command that leaves a report: train, evaluate")
    check_flags(overrides)
    register()
    disable_progress_bar()
    flags, settings = _parted(overrides) if is_sweep else ((), tuple(overrides))
    sweep = Sweep(command, tuple(flag for flag in flags if flag not in MULTIRUN))
    complaints: list[InputError] = []  # kept out of Hydra's sight: it would add a line of its own

    @hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
    def main(node: DictConfig) -> float | None:
        if is_sweep:
            return sweep.run(node)
        try:
            with _one_line():
                config = resolve(node)
            job(config)
        except InputError as error:
            complaints.append(error)
        return None

    with _as_argv([f"regrow {command}", *flags, *settings]), _one_line(), suppress(RunFailedError):
        main()
    if complaints:
        raise complaints[0]
    return sweep.failures() if is_sweep else ""


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


def _parted(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Flags, and overrides: those that are swept over go first, and so come first in the names of folders."""
    flags = tuple(word for word in words if not _OVERRIDE.fullmatch(word))
    return flags, tuple(sorted((word for word in words if _OVERRIDE.fullmatch(word)), key=_is_fixed))


def _is_fixed(override: str) -> bool:
    try:
        return not OverridesParser.create().parse_override(override).is_sweep_override()
    except HydraException:  # composing says what is wrong with it
        return True


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn the errors of Hydra and OmegaConf, which speak in paragraphs, into one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(complaint(error)) from error
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
