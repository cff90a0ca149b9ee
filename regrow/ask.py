"""The door `regrow search`: one question or a file of them; no training, no gold answers."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text
from rich.tree import Tree as RichTree

from mcts.errors import InputError
from mcts.tree import NO_NODE, ROOT, Flag, SearchTree
from mcts.types import Problem
from regrow import base
from regrow.build import (
    budget_of,
    check_choices,
    checker_of,
    columns_of,
    policy_of,
    scorer_of,
    strategy_of,
    task_of,
)
from regrow.config import RECORDED, WITHOUT_WEIGHTS, Config
from regrow.evaluation import texts
from regrow.grow import grow
from regrow.models import Models
from regrow.panel import panel_of
from regrow.tasks.problems import read_problems
from regrow.tasks.task import Task

QUESTION_ID = "question"


def ask(config: Config, question: str | None) -> None:
    """Search `question`, or every problem of `problems=FILE`, and print the answers."""
    task = task_of(config)
    problems = _problems(config, task, question)
    strategy = strategy_of(config.search, config, task)
    budget = budget_of(config.budget, "budget", stop_when_solved=True)
    checker = checker_of(config, task)
    check_choices(config)
    policy = Path(config.policy.path) if config.policy.path else None
    if config.policy.engine == RECORDED:
        raise InputError("policy=recorded: is for regrow evaluate, expected another policy")
    if policy is None and config.policy.engine not in WITHOUT_WEIGHTS:
        policy = base.base_policy(config, task)
    prm = Path(config.prm.path) if config.prm.path else base.prm_zero(config, task, policy)
    models = Models(policy, prm, **base.critics(config, task, policy))
    queries = [strategy.query(problem, budget, config.seed, "ask") for problem in problems]
    with tempfile.TemporaryDirectory() as scratch:
        trees = grow(
            queries,
            policy_of(config, policy),
            scorer_of(config, prm),
            config.scheduler,
            checker=checker,
            panel=panel_of(config, models, strategy),
            scratch=Path(scratch),
            what="searching",
        )
    for tree in trees:
        _print(dataclasses.replace(tree, answer=strategy.chosen(task, tree)), config)


def _problems(config: Config, task: Task, question: str | None) -> list[Problem]:
    if question is not None and config.problems is not None:
        raise InputError("both a question and problems=FILE, expected one of them")
    if question is not None:
        try:
            return [Problem(QUESTION_ID, task.parse(question))]
        except ValueError as error:
            raise InputError(f"question {question!r}: {error}") from error
    if config.problems is None:
        raise InputError('no question, expected regrow search "QUESTION" or problems=FILE')
    return [graded.problem for graded in read_problems(config.problems, task, columns_of(config), needs_answers=False)]


def answer_of(tree: SearchTree) -> dict[str, Any]:
    """The chosen solution, what speaks for it, and what it cost, as JSON values."""
    found = tree.answer != NO_NODE
    value = float(tree.value[tree.answer]) if found else float("nan")
    return {
        "id": tree.problem.id,
        "question": tree.problem.question,
        "solution": texts(tree.path(tree.answer)) if found else None,
        "score": None if np.isnan(value) else value,
        "accepted": _verdict(int(tree.flags[tree.answer])) if found else None,
        "answer_node": tree.answer,
        "strategy": tree.strategy,
        "spent": dataclasses.asdict(tree.spent),
        "nodes": len(tree.parent),
    }


def _verdict(flags: int) -> bool | None:
    """What the checker said; None if nobody asked it."""
    return True if flags & Flag.ACCEPTED else False if flags & Flag.REJECTED else None


def _print(tree: SearchTree, config: Config) -> None:
    answer = answer_of(tree)
    if config.output == "json":
        print(json.dumps(answer | ({"tree": _plain(tree)} if config.tree else {})))
        return
    console = Console(highlight=False)
    console.print(Text(tree.problem.question, style="bold"))
    for step in answer["solution"] or ["no complete solution within the budget"]:
        console.print(Text(f"  {step}"))
    verdict = {True: "accepted by the task's checker", False: "rejected by the task's checker", None: "not checked"}
    score = "none" if answer["score"] is None else f"{answer['score']:.3f}"
    spent = tree.spent
    console.print(f"score {score}, {verdict[answer['accepted']]}")
    console.print(
        f"{tree.strategy}: {spent.tokens_generated} tokens generated in {spent.policy_calls} calls, "
        f"{spent.tokens_scored} scored in {spent.scorer_calls}, {answer['nodes']} nodes"
    )
    if config.tree:
        console.print(_drawn(tree))


def _plain(tree: SearchTree) -> list[dict[str, Any]]:
    """The tree's nodes as JSON values."""
    return [
        {
            "node": node,
            "parent": int(tree.parent[node]),
            "text": step.text if step else None,
            "tokens": len(step.token_ids) if step else 0,
            "visits": int(tree.visits[node]),
            "value_sum": float(tree.value_sum[node]),
            "value": None if np.isnan(tree.value[node]) else float(tree.value[node]),
            "prior": float(tree.prior[node]),
            "is_final": bool(tree.flags[node] & Flag.FINAL),
            "accepted": _verdict(int(tree.flags[node])),
        }
        for node, step in enumerate(tree.steps)
    ]


def _drawn(tree: SearchTree) -> RichTree:
    """The tree for a terminal: the chosen path bold, each step with its value and visits."""
    chosen = set()
    node = tree.answer
    while node > ROOT:
        chosen.add(node)
        node = int(tree.parent[node])
    branches = [RichTree(Text(tree.problem.question, style="bold"))]
    for node, step in enumerate(tree.steps[1:], start=1):
        assert step is not None
        mark = {True: " +", False: " -", None: ""}[_verdict(int(tree.flags[node]))]
        label = Text(step.text, style="bold green" if node in chosen else "")
        label.append(f"  value {tree.value[node]:.2f}, visits {tree.visits[node]}{mark}", style="dim")
        branches.append(branches[int(tree.parent[node])].add(label))
    return branches[ROOT]
