"""`report.html`: the report as one offline page with tables and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regrow import atomic
from regrow.report_gates import alarms_section, gates_section
from regrow.report_page import page, plot, section, table, text
from regrow.report_plots import LABELS, TEACHERS, accuracy, auroc_by_depth, controls, names_of, seconds, tokens

_PRM_NOTE = (
    "Held against the exact truth of every step. AUROC: does the value tell steps from which the answer can still be "
    "reached from dead ends; 0.5 is chance. Brier skill: 0 is the base rate, 1 perfect. Within 0.1 rewards constants, "
    "so the best constant and the best constant per depth stand beside it. Exact: AUROC of the same model trained on "
    "exact labels of the same steps. Own success: Brier skill as a forecast of the round's own policy's success."
)
_CONTROLS_NOTE = (
    "The same base under other teachers, in as many training steps: its own base data alone, and traces from as many "
    "tokens of plain sampling (ReST-EM). What the loop is worth is what it has above both."
)
_PAIRED_NOTE = (
    "Differences in the share of correct answers, problem by problem, with 95 % intervals; p by a paired t-test."
)


def write_html(report: Mapping[str, Any], path: Path) -> None:
    """Write the page for `report`, the object of `report.json`."""
    rounds = report["rounds"]
    judged = [done for done in rounds if done["prm_eval"] is not None]
    figures = {"accuracy": accuracy(rounds), "seconds": seconds(rounds), "tokens": tokens(rounds)}
    sections = [section("Accuracy", _headline_note(rounds), _headline(rounds), plot("accuracy"))]
    if any(done["controls"] for done in rounds):
        figures["controls"] = controls(rounds)
        sections.append(section("Controls", _CONTROLS_NOTE, _controls_table(rounds), plot("controls")))
    sections.append(section("Paired comparisons", _PAIRED_NOTE, _comparisons_table(rounds)))
    if judged:
        figures["depth"] = auroc_by_depth(judged)
        sections.append(section("Process reward model", _PRM_NOTE, _prm_table(judged), plot("depth")))
    sections += [
        gates_section(rounds),
        alarms_section(rounds),
        section("Cost", _cost_note(rounds), f'<div class="pair">{plot("seconds")}{plot("tokens")}</div>'),
        f"<section><details><summary>Config</summary><pre>{text(_yaml_like(report['config']))}</pre></details></section>",
    ]
    atomic.write_text(path, page(f"regrow {report['command']}", report, sections, figures))


def _headline_note(rounds: Sequence[Mapping[str, Any]]) -> str:
    counts = sorted({row["n"] for done in rounds for row in done["eval"].values()})
    return (
        f"On {' or '.join(map(str, counts))} problems; round 0 is the models to start from. Beneath each figure: its "
        "95 % Wilson interval, tokens generated per problem, and what selected the answer among the solutions."
    )


def _headline(rounds: Sequence[Mapping[str, Any]]) -> str:
    names = names_of(rounds)
    head = ["round", *(f"{LABELS[name]}{_strategies(rounds, name)}" for name in names)]
    return table(head, [[_round(done), *(_cell(done["eval"].get(name)) for name in names)] for done in rounds])


def _strategies(rounds: Sequence[Mapping[str, Any]], name: str) -> str:
    """The search behind a column, where its name says more than the column's."""
    found = {done["eval"][name]["strategy"] for done in rounds if name in done["eval"]} - {name}
    return "".join(f"<small>{text(strategy.replace('_', ' '))}</small>" for strategy in sorted(found))


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "&ndash;"
    lines = [
        f"{100 * row['low']:.1f}&ndash;{100 * row['high']:.1f}",
        f"{row['tokens_per_problem']:,.0f} tokens",
        "" if row["selected_by"] == "none" else f"by {text(row['selected_by'])}",
    ]
    return f"<b>{100 * row['accuracy']:.1f} %</b>" + "".join(f"<small>{line}</small>" for line in lines)


def _prm_table(rounds: Sequence[Mapping[str, Any]]) -> str:
    columns = {
        "auroc": "AUROC",
        "depth_only_auroc": "depth only AUROC",
        "brier_skill": "Brier skill",
        "own_success_skill": "own success",
        "within_0.1": "within 0.1",
        "constant_within_0.1": "constant",
        "depth_only_within_0.1": "depth only",
    }
    rows = [
        [
            _round(done),
            *(_figure(done["prm_eval"][key]) for key in columns),
            _figure((done["prm_exact_eval"] or {"auroc": None})["auroc"]),
            f"{done['prm_eval']['n']:,}",
        ]
        for done in rounds
    ]
    return table(["round", *columns.values(), "AUROC exact", "steps"], rows)


def _controls_table(rounds: Sequence[Mapping[str, Any]]) -> str:
    teachers = list(dict.fromkeys(name for done in rounds for name in done["controls"]))
    kinds = ("greedy", "sample")
    head = ["round", *(f"{LABELS[kind]}<small>{TEACHERS[name]}</small>" for kind in kinds for name in ["", *teachers])]
    rows = [
        [_round(done), *(_cell(_arm(done, name).get(kind)) for kind in kinds for name in ["", *teachers])]
        for done in rounds
    ]
    return table(head, rows)


def _arm(done: Mapping[str, Any], teacher: str) -> Mapping[str, Any]:
    """The evaluations of a control, or of the loop itself."""
    evaluated: Mapping[str, Any] = done["controls"].get(teacher, {"eval": {}})["eval"] if teacher else done["eval"]
    return evaluated


def _comparisons_table(rounds: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{done['round']}",
            LABELS[row["of"]],
            LABELS.get(row["over"]) or TEACHERS.get(row["over"], text(row["over"])),
            f"<b>{100 * row['difference']:+.1f} points</b>",
            f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
            f"{row['p_value']:.3f}" if row["p_value"] >= 0.001 else "&lt; 0.001",
            f"{row['n']:,}",
        ]
        for done in rounds
        for row in done["comparisons"]
    ]
    return table(["round", "of", "over", "difference", "interval", "p", "problems"], rows)


def _figure(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:.3f}"


def _cost_note(rounds: Sequence[Mapping[str, Any]]) -> str:
    clock = sum(sum(done["seconds"].values()) for done in rounds)
    generated = sum(done["tokens_generated"] for done in rounds)
    tried = sum(done["gate_tokens"] for done in rounds)
    spent = f"{clock / 60:,.1f} minutes" if clock >= 120 else f"{clock:,.0f} seconds"
    told = f"In all {spent} of wall-clock time, {generated:,} tokens generated by the rounds' searches"
    return f"{told}, {tried:,} more by their gates." if tried else f"{told}."


def _round(done: Mapping[str, Any]) -> str:
    return f"{done['round']}{'<small>base</small>' if done['round'] == 0 else ''}"


def _yaml_like(value: object, indent: str = "") -> str:
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    lines = []
    for key, inner in value.items():
        nested = isinstance(inner, dict) and inner
        lines.append(f"{indent}{key}:" + ("\n" if nested else " ") + _yaml_like(inner, indent + "  "))
    return "\n".join(lines) or "{}"
