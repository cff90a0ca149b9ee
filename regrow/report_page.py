"""Parts of an offline page: what `report.html` and the page of a contest are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from plotly.offline import get_plotlyjs

from regrow.report_template import PAGE


def page(title: str, report: Mapping[str, Any], sections: Sequence[str], figures: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        report: With `seed`, `commit` and `hardware`.
        figures: Place -> plotly figure.
    """
    return PAGE.substitute(
        title=text(title),
        facts=facts(report),
        sections="\n".join(sections),
        figures=json.dumps(figures, allow_nan=False).replace("<", "\\u003c"),
        plotly=get_plotlyjs(),
    )


def text(value: object) -> str:
    """Escaped for HTML."""
    return escape(str(value))


def section(title: str, note: str, *content: str) -> str:
    """A part of the page with a heading, a line on how to read it, and its content."""
    return f"<section><h2>{text(title)}</h2><p>{text(note)}</p>{''.join(content)}</section>"


def plot(name: str) -> str:
    """The place of the figure `name`."""
    return f'<div id="{name}" class="plot"></div>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already; the first of each row is its head."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr><th>{first}</th>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>" for first, *rest in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(report: Mapping[str, Any]) -> str:
    """What a report was made with: seed, commit and hardware."""
    machine = report["hardware"]
    known = [f"{machine['cores']} cores"] if "cores" in machine else []
    known += [f"{machine['memory_gib']} GiB"] if "memory_gib" in machine else []
    named = [machine.get("cpu"), *machine.get("accelerators", [])]
    software = [f"{name} {machine[name]}" for name in ("python", "torch") if name in machine]
    hardware = ", ".join(str(part) for part in [*named, *known, machine.get("platform"), *software] if part)
    known_facts = {"seed": report["seed"], "commit": report["commit"], "hardware": hardware}
    return "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in known_facts.items())
