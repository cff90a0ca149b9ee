"""Generated parts of a page in `docs/`: tables between marks."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from regrow import atomic


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def fill(path: Path, parts: Mapping[str, str]) -> None:
    """Put each part between its marks, `<!-- begin NAME -->` and `<!-- end -->`; tell of those that have no place."""
    page = path.read_text(encoding="utf-8")
    for mark, body in parts.items():
        pattern = re.compile(rf"(<!-- begin {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, found = pattern.subn(lambda match, body=body: f"{match[1]}{body}\n{match[2]}", page)
        if not found:
            print(f"{path.name} has no place for {mark!r}", file=sys.stderr)
    atomic.write_text(path, page)
