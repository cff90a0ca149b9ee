"""What Hydra and OmegaConf say in paragraphs, in one line that tells what was expected."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from difflib import get_close_matches
from io import StringIO

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from mcts.errors import InputError

LONGEST = 300
"""Characters of what a library says that are repeated."""

_LISTED = 380
"""Characters of what is known that are listed; where it is more, what comes close is."""

_NAME = 60
"""Characters of a name that nobody knows."""

_PICKLED = "--experimental-rerun"
_TO_SEE_ALL = "regrow train --cfg job prints all settings"


def complaint(error: HydraException | OmegaConfBaseException) -> str:
    """The line for an error of composing or resolving."""
    reason = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException | HydraException) else error
    if isinstance(error, MissingConfigException):
        return _missing(error)
    if isinstance(reason, ConfigAttributeError | ConfigKeyError) and reason.full_key:
        return _unknown(str(reason.full_key), reason.object_type)
    lines = [line.strip() for text in dict.fromkeys((str(error), str(reason))) for line in text.splitlines()]
    kept = [line for line in dict.fromkeys(lines) if line and not line.startswith(_LEFT_OUT)]
    key = f" {reason.full_key}" if isinstance(reason, OmegaConfBaseException) and reason.full_key else ""
    return f"config{key}: {' '.join(kept)[:LONGEST]}; expected KEY=VALUE with a value of its kind ({_TO_SEE_ALL})"


_LEFT_OUT = ("full_key", "object_type", "reference_type", "See ", "^")


def check_flags(words: Sequence[str]) -> None:
    """Hold the flags among the words of a command against those that Hydra has.

    Raises:
        InputError: One is unknown, or reads a pickle.
    """
    if any(word.startswith(_PICKLED) for word in words):
        raise InputError(f"{_PICKLED}: reads a pickle, expected the overrides of the run instead")
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(StringIO()):
            get_args_parser().parse_args(list(words))
    except SystemExit as error:
        if error.code:
            told = said.getvalue().strip().rpartition("error: ")[2] or "unusable flags"
            raise InputError(f"{told[:LONGEST]}; expected KEY=VALUE or a flag of Hydra's, see --hydra-help") from error


def _missing(error: MissingConfigException) -> str:
    """A choice that a group does not have, or a file that is not there."""
    group, _, name = str(error.missing_cfg_file or "").partition("/")
    known = [option for option in error.options or () if not option.endswith("_schema")]
    if not name or not known:
        told = " ".join(str(error).split())[:LONGEST]
        return f"config: {told}; expected a file of conf/ ({_TO_SEE_ALL})"
    return f"config {group}={name[:_NAME]}: no such choice, expected one of {_listed(name, known)}"


def _unknown(key: str, kind: object) -> str:
    """A setting that there is not."""
    known = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    name = key.rpartition(".")[2]
    expected = f"one of {_listed(name, known)}" if known else f"+{key}=VALUE, which adds it,"
    return f"config {key[:_NAME]}: no such setting, expected {expected} ({_TO_SEE_ALL})"


def _listed(name: str, known: Sequence[str]) -> str:
    """What is known, or what comes close to a name where that is too much."""
    if len(", ".join(known)) > _LISTED:
        known = get_close_matches(name, known, n=5, cutoff=0.4) or known
    return ", ".join(known)[:_LISTED]
