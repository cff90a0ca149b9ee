"""The tables of `docs/alphallm.md`, made from the figures of `docs/alphallm.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from page_marks import fill, table


def render(figures: Mapping[str, Any], page: Path) -> None:
    """Fill the page with what was measured."""
    parts = {}
    for name, make in (("ladder", ladder), ("rounds", rounds), ("noise", noise), ("imagined", imagined)):
        if name in figures:
            parts[name] = make(figures[name])
            parts[f"{name} facts"] = facts(figures[name])
    fill(page, parts)


def facts(figures: Mapping[str, Any]) -> str:
    """Where the figures come from."""
    seeds = ", ".join(map(str, figures["seeds"]))
    hardware = figures["hardware"]
    return (
        f"Commit {figures['commit'][:12]}; {hardware['cpu']}, {hardware['cores']} cores; seeds {seeds}; "
        f"`{figures['command']}`."
    )


def ladder(figures: Mapping[str, Any]) -> str:
    """A row a rung and number of rollouts."""
    rows = [
        [
            str(row["rollouts"]),
            row["rung"],
            f"{row['tokens']:,.0f}",
            accuracy(row),
            row["over"] or "",
            difference(row["difference"]),
        ]
        for row in figures["rows"]
    ]
    return table(["rollouts", "search", "tokens a problem", "accuracy", "over", "difference"], rows)


def rounds(figures: Mapping[str, Any]) -> str:
    """A row a round and arm."""
    rows = [
        [
            str(row["round"]),
            row["arm"],
            *(accuracy(row[name]) for name in ("greedy", "sample", "search")),
            difference(row["greedy"].get("over_labels")),
            f"{row['tokens'] / 1000:,.0f}",
        ]
        for row in figures["rows"]
    ]
    return table(
        ["round", "outcomes by", "greedy", "sampled", "search", "greedy, over labels", "thousand tokens"], rows
    )


def noise(figures: Mapping[str, Any]) -> str:
    """A row a share of flipped labels: the mean over seeds, and each seed's."""
    rows = []
    for share in dict.fromkeys(row["flipped"] for row in figures["rows"]):
        found = [row for row in figures["rows"] if row["flipped"] == share]
        cells = [[row[name][key] for row in found] for key in ("auroc", "brier_skill") for name in ("plain", "peers")]
        rows.append(
            [f"{share:.0%}", *(f"**{fmean(cell):.3f}** ({' '.join(f'{x:.3f}' for x in cell)})" for cell in cells)]
        )
    heads = ["AUROC, all labels", "AUROC, peers choose", "Brier skill, all labels", "Brier skill, peers choose"]
    return table(["labels flipped", *heads], rows)


def imagined(figures: Mapping[str, Any]) -> str:
    """A row a way: what was asked for, what was dropped and why, what was kept, and the truth about that."""
    ways = figures["ways"]
    known = ("asked", "kept", "valid", "leaks")
    reasons = list(dict.fromkeys(reason for counts in ways.values() for reason in counts if reason not in known))
    rows = []
    for way, counts in ways.items():
        kept = counts.get("kept", 0)
        rows.append(
            [
                way,
                str(counts.get("asked", 0)),
                *(str(counts.get(reason, 0)) for reason in reasons),
                str(kept),
                f"{counts.get('valid', 0) / kept:.1%}" if kept else "",
                str(counts.get("leaks", 0)),
            ]
        )
    return table(["way", "asked", *(f"dropped: {reason}" for reason in reasons), "kept", "valid", "leaking"], rows)


def accuracy(row: Mapping[str, Any]) -> str:
    """A share with its interval and each seed's."""
    seeds = " ".join(f"{one:.3f}" for one in row["by_seed"])
    return f"**{row['accuracy']:.3f}** ({row['low']:.3f} to {row['high']:.3f}; {seeds})"


def difference(apart: Mapping[str, Any] | None) -> str:
    """A difference with its interval."""
    return "" if apart is None else f"{apart['mean']:+.3f} ({apart['low']:+.3f} to {apart['high']:+.3f})"
