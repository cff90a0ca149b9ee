"""How answers are written: text for people, JSON lines, parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text
from rich.tree import Tree as RichTree

from mcts.errors import printable
from mcts.tree import ROOT, SearchTree
from regrow import atomic
from regrow.answer import Answer, verdict_of

_VERDICTS = {True: "accepted by the task's checker", False: "rejected by the task's checker", None: "not checked"}
_SPENT = {
    "tokens_generated": pa.int64(),
    "tokens_scored": pa.int64(),
    "policy_calls": pa.int64(),
    "scorer_calls": pa.int64(),
    "nodes": pa.int64(),
    "seconds": pa.float64(),
}
_NODE = {
    "node": pa.int32(),
    "parent": pa.int32(),
    "text": pa.string(),
    "tokens": pa.int32(),
    "visits": pa.int32(),
    "value_sum": pa.float64(),
    "value": pa.float64(),
    "prior": pa.float64(),
    "is_final": pa.bool_(),
    "accepted": pa.bool_(),
}
_ROW = {
    "id": pa.string(),
    "question": pa.string(),
    "solution": pa.list_(pa.string()),
    "score": pa.float64(),
    "accepted": pa.bool_(),
    "answer_node": pa.int32(),
    "strategy": pa.string(),
    "spent": pa.struct(_SPENT.items()),
    "nodes": pa.int64(),
}


def json_line(answer: Answer, *, with_tree: bool) -> str:
    """An answer as a line of JSON."""
    return json.dumps(answer.row() | ({"tree": answer.nodes()} if with_tree else {}))


def write_parquet(path: Path, answers: Sequence[Answer], *, with_tree: bool) -> None:
    """Answers as a parquet file with the columns of `Answer.row`, and `tree`, a list of nodes. Written whole."""
    columns = _ROW | ({"tree": pa.list_(pa.struct(_NODE.items()))} if with_tree else {})
    rows = [answer.row() | ({"tree": answer.nodes()} if with_tree else {}) for answer in answers]
    with atomic.file(path) as sibling:
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns.items())), sibling)


def print_text(answer: Answer, *, with_tree: bool) -> None:
    """An answer for people, on standard output."""
    console = Console(highlight=False, markup=False)
    console.print(Text(printable(answer.question), style="bold"))
    for step in answer.steps or ["no complete solution within the budget"]:
        console.print(Text(f"  {printable(step)}"))
    score = "none" if answer.score is None else f"{answer.score:.3f}"
    spent = answer.tree.spent
    console.print(f"score {score}, {_VERDICTS[answer.accepted]}")
    console.print(
        f"{answer.tree.strategy}: {spent.tokens_generated} tokens generated in {spent.policy_calls} calls, "
        f"{spent.tokens_scored} scored in {spent.scorer_calls}, {spent.nodes} nodes"
    )
    if with_tree:
        console.print(_drawn(answer.tree))


def _drawn(tree: SearchTree) -> RichTree:
    """The tree for a terminal: the chosen path bold, each step with its value and visits."""
    chosen = set(tree.lineage(tree.answer)) if tree.answer > ROOT else set()
    branches = [RichTree(Text(printable(tree.problem.question), style="bold"))]
    for node, step in enumerate(tree.steps[1:], start=1):
        assert step is not None
        mark = {True: " +", False: " -", None: ""}[verdict_of(int(tree.flags[node]))]
        label = Text(printable(step.text), style="bold green" if node in chosen else "")
        label.append(f"  value {tree.value[node]:.2f}, visits {tree.visits[node]}{mark}", style="dim")
        branches.append(branches[int(tree.parent[node])].add(label))
    return branches[ROOT]
