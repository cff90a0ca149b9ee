"""The card of a data set: what is in it, how it came about, and how to open it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from omegaconf import OmegaConf

from regrow.generate.plan import Plan
from regrow.generate.shard import LENGTHS, SHARDS, SOLUTIONS
from regrow.generate.solutions import DIFFICULTIES
from regrow.manifest import Manifest
from regrow.trace_store import NODES_FILE, PROBLEMS_FILE

_FILES = {"solutions": SOLUTIONS, "problems": PROBLEMS_FILE, "nodes": NODES_FILE}
_BAR = 40

Counts = Mapping[str, Mapping[str, int]]


def card(manifest: Manifest, counts: Counts, plan: Plan) -> str:
    """The card as Markdown, with the head that the Hugging Face hub and `datasets` read."""
    head = {
        "pretty_name": f"{plan.task.name}, solved by {plan.strategy.name}",
        "task_categories": ["text-generation"],
        "tags": ["math", "reasoning", "regrow"],
        "configs": [
            {"config_name": name, "data_files": f"{SHARDS}/*/{file}"} | ({"default": True} if file == SOLUTIONS else {})
            for name, file in _FILES.items()
        ],
    }
    config = json.dumps(manifest.config, indent=2, ensure_ascii=False)
    return "\n".join(
        [
            "---",
            OmegaConf.to_yaml(OmegaConf.create(head)).strip(),
            "---",
            f"# {head['pretty_name']}",
            "",
            *_summary(counts, plan),
            "",
            "## Problems",
            *_table("problems", {**counts["read"], **counts["problems"]}),
            "",
            "By solve rate, the share of draws that were correct:",
            *_histogram("difficulty", {name: counts["difficulty"].get(name, 0) for _, name in DIFFICULTIES}),
            "",
            "## Solutions",
            *_table("solutions found", counts["found"]),
            "",
            *_table("dropped, of those wanted", counts["dropped"] or {"none": 0}),
            "",
            "Lengths of the kept ones in tokens, up to:",
            *_histogram("tokens", {name: counts["lengths"].get(name, 0) for name in (*map(str, LENGTHS), "more")}),
            "",
            "## How it was made",
            f"regrow at commit {manifest.commit}; tokens generated: {counts['spent']['tokens_generated']:,}, "
            f"scored: {counts['spent']['tokens_scored']:,}.",
            "",
            f"```json\n{config}\n```",
            "",
        ]
    )


def _summary(counts: Counts, plan: Plan) -> list[str]:
    kept, problems = counts["kept"], counts["problems"]
    told = f"Problems that share {plan.ngram} words in a row with {', '.join(plan.test_sets)} were left out."
    return [
        f"{kept['solutions']:,} solutions ({plan.selection.keep}) of {kept['problems']:,} problems; "
        f"{problems['searched']:,} were searched and {problems['solved']:,} solved at least once.",
        told if plan.test_sets else "No test set was named to keep out (decontaminate=[...]).",
        "",
        "```python",
        "datasets.load_dataset(FOLDER)                 # solutions: prompt, completion, and what is known of them",
        'datasets.load_dataset(FOLDER, "problems")     # one row a search tree',
        'datasets.load_dataset(FOLDER, "nodes")        # one row a step of a tree',
        "```",
    ]


def _table(head: str, rows: Mapping[str, int]) -> list[str]:
    return [f"| {head} | |", "| --- | ---: |", *(f"| {name} | {count:,} |" for name, count in rows.items())]


def _histogram(head: str, rows: Mapping[str, int]) -> list[str]:
    most = max([*rows.values(), 1])
    lines = (f"| {name} | {count:,} | {'#' * round(_BAR * count / most)} |" for name, count in rows.items())
    return [f"| {head} | | |", "| --- | ---: | --- |", *lines]
