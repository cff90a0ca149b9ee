"""Rows for those who train process reward models: Math-Shepherd, PRM800K, RLHFlow.

They show the bare question, as `prm.formats` reads such models. A step is good if a correct answer was found beneath.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcts.errors import InputError
from prm.formats.math_shepherd import TAG
from prm.formats.verdict import BAD, GOOD
from regrow.export.recipe import Recipe
from regrow.export.rows import Row
from regrow.solutions import Solution, is_good, siblings, text_of
from regrow.verified import VerifiedTree

LABELER = "regrow"


def math_shepherd(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`input`: the question and the steps, a tag after each; `label`: the same with + or - for the tags; `task`.

    Raises:
        InputError: The question or a step contains the tag: readers would count a step too many.
    """
    question = verified.tree.problem.question
    for one in _both(verified, recipe):
        if tagged := [text for text in (question, *one.texts) if TAG in text]:
            raise InputError(
                f"problem {verified.tree.problem.id}: {tagged[0]!r} contains {TAG}, the step tag of math_shepherd, "
                "expected other traces or another format"
            )
        good = is_good(verified, one.nodes)
        yield {
            "input": _marked(question, one, [TAG] * len(good)),
            "label": _marked(question, one, [GOOD if is_one else BAD for is_one in good]),
            "task": recipe.task,
        }


def rlhflow(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`conversations`: the user tells the steps, the first with the question; the assistant answers each + or -."""
    question = verified.tree.problem.question
    for one in _both(verified, recipe):
        turns = []
        told = (f"{question} {one.texts[0]}", *one.texts[1:])
        for text, is_one in zip(told, is_good(verified, one.nodes), strict=True):
            turns.append({"role": "user", "content": text})
            turns.append({"role": "assistant", "content": GOOD if is_one else BAD})
        yield {"conversations": turns}


def prm800k(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`question` and `label`, whose steps each have all labelled siblings as completions, rated 1 or -1.

    As there, a wrong solution ends at its first bad step. Nobody is neutral (0) here. A solution is given up where it
    ended too early, each of its steps being good.
    """
    tree = verified.tree
    for one in _both(verified, recipe):
        good = is_good(verified, one.nodes)
        is_broken = not all(good)
        kept = good.index(False) + 1 if is_broken else len(good)
        yield {
            "labeler": LABELER,
            "timestamp": None,
            "generation": None,
            "is_quality_control_question": False,
            "is_initial_screening_question": False,
            "question": {
                "problem": tree.problem.question,
                "ground_truth_solution": None,
                "ground_truth_answer": verified.gold,
                "pre_generated_steps": list(one.texts),
                "pre_generated_answer": verified.answers.get(one.nodes[-1]),
            },
            "label": {
                "steps": [_choice(verified, node) for node in one.nodes[:kept]],
                "total_time": 0,
                "finish_reason": "found_error" if is_broken else "solution" if one.is_correct else "give_up",
            },
        }


def _both(verified: VerifiedTree, recipe: Recipe) -> Iterator[Solution]:
    for group in recipe.solutions(verified):
        yield from group


def _marked(question: str, one: Solution, marks: list[str]) -> str:
    return f"{question} " + "\n".join(f"{text} {mark}" for text, mark in zip(one.texts, marks, strict=True))


def _choice(verified: VerifiedTree, node: int) -> Row:
    """A step of PRM800K: what could have been said, and which of it was."""
    tree = verified.tree
    rated = [one for one in siblings(tree, node) if verified.labels.hard[one] in (0, 1)]
    completions = [
        {"text": text_of(tree, one), "rating": 1 if is_one else -1, "flagged": False}
        for one, is_one in zip(rated, is_good(verified, rated), strict=True)
    ]
    return {"completions": completions, "human_completion": None, "chosen_completion": rated.index(node)}
