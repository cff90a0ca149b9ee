"""Rows for TRL: supervised fine-tuning, preferences, KTO, stepwise supervision.

What a policy learns from is worded as our policy is asked: as text, or as messages where the prompt is a chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcts.tree import SearchTree
from regrow.export.recipe import Recipe
from regrow.export.rows import Row, Speech
from regrow.solutions import StepPair, is_end, is_good, text_of, values, way
from regrow.verified import VerifiedTree


def sft(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`prompt` and `completion`: a correct solution."""
    problem = verified.tree.problem
    for one in recipe.solutions(verified)[0]:
        yield {
            "prompt": _asked(recipe, problem.question),
            "completion": _replied(recipe, one.texts),
            "problem_id": problem.id,
        }


def sft_messages(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`messages`: a correct solution as a chat, however our policy is asked."""
    problem = verified.tree.problem
    for one in recipe.solutions(verified)[0]:
        reply = {"role": "assistant", "content": recipe.prompt.delimiter.join(one.texts)}
        yield {"messages": [*recipe.prompt.messages(problem.question), reply], "problem_id": problem.id}


def preference(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`prompt`, `chosen` and `rejected`: a correct solution and a wrong one; each stands in one pair."""
    problem = verified.tree.problem
    for correct, wrong in zip(*recipe.solutions(verified), strict=False):
        yield {
            "prompt": _asked(recipe, problem.question),
            "chosen": _replied(recipe, correct.texts),
            "rejected": _replied(recipe, wrong.texts),
            "problem_id": problem.id,
        }


def step_preference(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`prompt`, `chosen` and `rejected`: two steps from one state, `recipe.margin` apart in value.

    The steps so far belong to the prompt. In a chat they begin both replies instead, since a template would close the
    turn; their log-probabilities cancel in the difference that is learned from.
    """
    problem = verified.tree.problem
    for pair in recipe.step_pairs(verified):
        yield _step_row(recipe, verified.tree, pair) | {"problem_id": problem.id}


def kto(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`prompt`, `completion` and `label`: a solution, and whether it is correct."""
    problem = verified.tree.problem
    for group in recipe.solutions(verified):
        for one in group:
            yield {
                "prompt": _asked(recipe, problem.question),
                "completion": _replied(recipe, one.texts),
                "label": one.is_correct,
                "problem_id": problem.id,
            }


def stepwise(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`prompt` (the bare question), `completions` (the steps), `labels` and `values`.

    TRL makes integers of labels, so that 0.7 would become 0: labels are good or bad, values stand beside them.
    """
    problem = verified.tree.problem
    for group in recipe.solutions(verified):
        for one in group:
            yield {
                "prompt": problem.question,
                "completions": list(one.texts),
                "labels": is_good(verified, one.nodes),
                "values": values(verified, one.nodes, recipe.labels),
                "problem_id": problem.id,
            }


def _asked(recipe: Recipe, question: str) -> Speech:
    return recipe.prompt.messages(question) if recipe.prompt.chat else recipe.prompt.render(question)


def _replied(recipe: Recipe, texts: Sequence[str]) -> Speech:
    reply = recipe.prompt.delimiter.join(texts)
    return [{"role": "assistant", "content": reply}] if recipe.prompt.chat else reply


def _step_row(recipe: Recipe, tree: SearchTree, pair: StepPair) -> Row:
    asked, delimiter = _asked(recipe, tree.problem.question), recipe.prompt.delimiter
    before = way(tree, int(tree.parent[pair.chosen]), is_correct=False).texts

    def worded(node: int) -> Speech:
        text = text_of(tree, node)
        if not isinstance(asked, str):
            return _replied(recipe, (*before, text))
        return text + ("" if is_end(tree, node) else delimiter)

    told = asked + "".join(text + delimiter for text in before) if isinstance(asked, str) else asked
    return {"prompt": told, "chosen": worded(pair.chosen), "rejected": worded(pair.rejected)}
