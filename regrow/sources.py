"""Which source files decide what a module does: its own and those it imports, as far as they are ours."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from regrow import provenance


def source_digests(modules: Iterable[str], packages: Sequence[str]) -> dict[str, str]:
    """Digest of the source of each module that `modules` import, directly or not, themselves included; by name.

    Imports are read from the source, wherever they stand in it, so nothing is run. Of a package its `__init__` counts,
    which runs before its modules.

    Args:
        modules: Full names of modules.
        packages: What is followed: modules of these packages and those beneath.
    """
    waiting, found = list(modules), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in found or not _is_within(name, packages) or (file := _file_of(name)) is None:
            continue
        found[name] = provenance.digest_file(file)
        waiting += [name.rpartition(".")[0], *_imports(file)]
    return dict(sorted(found.items()))


def _imports(file: Path) -> set[str]:
    """Names of all that a file imports: of `from a import b` both `a` and `a.b`, which may be a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _file_of(name: str) -> Path | None:
    """The source of a module; None where there is no such module. Finding it imports nothing."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent.joinpath(*rest)
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _is_within(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
