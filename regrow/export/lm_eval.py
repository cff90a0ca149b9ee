"""Rows for readers of lm-evaluation-harness: what the search answered to each problem, and the results file beside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any

from mcts.tree import NO_NODE
from mcts.types import Outcome
from regrow import atomic, provenance
from regrow.export.recipe import Recipe
from regrow.export.rows import Row
from regrow.solutions import way
from regrow.verified import VerifiedTree

METRIC, FILTER = "exact_match", "none"


def lm_eval(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """A sample: what the search chose, its answer, and whether that is correct; nothing without a gold answer."""
    if not verified.gold:
        return
    tree, problem = verified.tree, verified.tree.problem
    said = "" if tree.answer == NO_NODE else recipe.prompt.delimiter.join(way(tree, tree.answer, is_correct=True).texts)
    doc = {"id": problem.id, "question": problem.question, "answer": verified.gold}
    prompt = recipe.prompt
    asked = json.dumps(prompt.messages(problem.question)) if prompt.chat else prompt.render(problem.question)
    yield {
        "doc_id": index,
        "doc": doc,
        "target": verified.gold,
        "arguments": {"gen_args_0": {"arg_0": asked, "arg_1": {"until": list(prompt.stop)}}},
        "resps": [[said]],
        "filtered_resps": [verified.answers.get(tree.answer) or ""],
        "filter": FILTER,
        "metrics": [METRIC],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(asked),
        "target_hash": _hash(verified.gold),
        METRIC: float(verified.outcomes.get(tree.answer) is Outcome.CORRECT),
    }


def samples_name(recipe: Recipe) -> str:
    """The samples' file, as the harness would call it."""
    return f"samples_{recipe.task}_{_date(recipe)}"


def write_results(folder: Path, recipe: Recipe) -> None:
    """Write the results beside the samples."""
    right = count = 0
    with (folder / f"{samples_name(recipe)}.jsonl").open(encoding="utf-8") as samples:
        for line in samples:
            count += 1
            right += json.loads(line)[METRIC] == 1
    mean = right / count
    task: dict[str, Any] = {"alias": recipe.task, f"{METRIC},{FILTER}": mean}
    task[f"{METRIC}_stderr,{FILTER}"] = sqrt(mean * (1 - mean) / (count - 1)) if count > 1 else "N/A"
    results = {
        "results": {recipe.task: task},
        "group_subtasks": {recipe.task: []},
        "configs": {recipe.task: {"task": recipe.task, "output_type": "generate_until", "num_fewshot": 0}},
        "versions": {recipe.task: 1},
        "n-shot": {recipe.task: 0},
        "higher_is_better": {recipe.task: {METRIC: True}},
        "n-samples": {recipe.task: {"original": count, "effective": count}},
        "config": {"model": "regrow", "model_args": ""},
        "git_hash": provenance.commit(),
        "date": recipe.date,
    }
    atomic.write_json(folder / f"results_{_date(recipe)}.json", results)


def _date(recipe: Recipe) -> str:
    return datetime.fromtimestamp(recipe.date, UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
