"""Trees that `regrow search ... output=json tree=true` printed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.tree import NO_NODE
from mcts.types import Outcome, Spent, StepEnd
from regrow.view.tree_data import Data, evidence, numbers, problem_data

_EXPECTED = "expected what `regrow search ... output=json tree=true` prints"


def searched_problems(path: Path) -> list[Data]:
    """The problems of a file of answers, one JSON object a line, each with its tree.

    Raises:
        InputError: There is no such file, or a line is not an answer with a tree.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"search={path}: cannot be read, {_EXPECTED}") from error
    problems = [_problem(line, f"search={path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not problems:
        raise InputError(f"search={path}: is empty, {_EXPECTED}")
    return problems


def _problem(line: str, where: str) -> Data:
    try:
        answer = json.loads(line)
        nodes = answer["tree"]
        return problem_data(str(answer["id"]), str(answer["question"]), "", [_tree(answer, nodes)])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{where}: no answer with a tree, {_EXPECTED}") from error


def _tree(answer: dict[str, Any], nodes: list[dict[str, Any]]) -> Data:
    verdicts = {True: Outcome.CORRECT.value, False: Outcome.WRONG.value}
    parent = [int(node["parent"]) for node in nodes]
    if not all(before < node for node, before in enumerate(parent)) or parent.count(NO_NODE) != 1:
        raise ValueError("parents do not precede their children")
    visits = [int(node["visits"]) for node in nodes]
    return {
        "where": "",
        "strategy": str(answer["strategy"]),
        "failure": "",
        "spent": dataclasses.asdict(Spent(**answer["spent"])),
        "answer": int(answer["answer_node"]),
        "parent": parent,
        "text": [str(node["text"] or "") for node in nodes],
        "tokens": [int(node["tokens"]) or None for node in nodes],
        "visits": visits,
        "q": evidence([node["value_sum"] for node in nodes], visits),
        "value": numbers(node["value"] for node in nodes),
        "prior": numbers(node["prior"] or None for node in nodes),
        "soft": [None] * len(nodes),
        "verdicts": {
            number: verdicts[node["accepted"]] for number, node in enumerate(nodes) if node["accepted"] is not None
        },
        "answers": {},
        "ends": {number: StepEnd.FINAL.value for number, node in enumerate(nodes) if node["is_final"]},
    }
