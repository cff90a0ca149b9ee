"""Figures of a round, read off its trees: what the alarms of `regrow/alarms.py` watch.

Samples are what a round's policy draws for held-out problems, judged, with the values of the round's PRM; traces are
what the round learned from. A figure is None where the trees do not tell it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mcts.seeds import seed_of
from mcts.tree import NO_NODE, ROOT, SearchTree
from mcts.types import Outcome
from regrow.judging import judged
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree

_IN_A_ROW = re.compile(r"(?:^|\s)(\S+(?:\s+\S+){0,9})(?:\s+\1){3}(?=\s|$)")
"""Up to ten words, four times in a row."""


CHECKED = 100
"""Trees of a round that are judged again."""
LEAST_PAIRS = 100
"""Fewer pairs of solutions are no ground to say that a PRM goes by length."""


def of_samples(samples: Sequence[VerifiedTree]) -> dict[str, float | None]:
    """The figures of what a policy drew."""
    return {read.__name__: read(samples) for read in (length, repetition, entropy, inflation, gap, length_bias)}


def of_traces(task: Task, traces: Sequence[VerifiedTree], seed: int) -> dict[str, float | None]:
    """The figures of what a round learned from; some of its trees, chosen by hash, are judged again by the task."""
    some = sorted(traces, key=lambda one: seed_of(seed, "checked", one.tree.problem.id))[:CHECKED]

    def again(one: VerifiedTree) -> VerifiedTree:
        return judged(task, GradedProblem(one.tree.problem, one.gold), one.tree)

    return {"unsolved": unsolved(traces), "labels": disagreement(some, again)}


def length(samples: Sequence[VerifiedTree]) -> float | None:
    """Tokens of a sampled solution, mean."""
    return _ratio(sum(one.tree.spent.tokens_generated for one in samples), _draws(samples))


def repetition(samples: Sequence[VerifiedTree]) -> float | None:
    """The share of sampled solutions that say a step twice, or the same words four times in a row."""
    repeated = sum(int(one.tree.visits[leaf]) for one in samples for leaf in _leaves(one.tree) if _repeats(one, leaf))
    return _ratio(repeated, _draws(samples))


def entropy(samples: Sequence[VerifiedTree]) -> float | None:
    """Nats a token: minus the mean log-probability of what the policy drew, which estimates its entropy unbiasedly."""
    surprise, tokens = 0.0, 0
    for one in samples:
        for step, visits in zip(one.tree.steps, one.tree.visits.tolist(), strict=True):
            if step is not None:
                surprise -= visits * math.fsum(step.logprobs)
                tokens += visits * len(step.logprobs)
    return _ratio(surprise, tokens)


def inflation(samples: Sequence[VerifiedTree]) -> float | None:
    """The mean value of the complete solutions drawn, less the share of them that is right."""
    rows = [(int(one.tree.visits[node]), value - right) for one in samples for node, value, right in _valued(one)]
    return _ratio(math.fsum(drawn * excess for drawn, excess in rows), sum(drawn for drawn, _ in rows))


def gap(samples: Sequence[VerifiedTree]) -> float | None:
    """As `inflation`, but of the solution that the PRM values most among those of a problem.

    Where it grows, what the PRM likes and what the verifier accepts part (over-optimisation, arXiv 2210.10760).
    """
    chosen = [max(rows, key=lambda row: row[1]) for one in samples if (rows := _valued(one))]
    return _ratio(math.fsum(value - right for _, value, right in chosen), len(chosen))


def length_bias(samples: Sequence[VerifiedTree]) -> float | None:
    """How much oftener the PRM prefers the longer of two solutions of a problem that are both right, or both wrong.

    Goodman and Kruskal's gamma of all such pairs, ties being neither: 1 always the longer one, -1 the shorter. None of
    fewer than `LEAST_PAIRS`.
    """
    balance, pairs = 0.0, 0
    for one in samples:
        for verdict in (False, True):
            rows = [(_tokens(one.tree, node), value) for node, value, right in _valued(one) if right is verdict]
            tokens, values = np.asarray(rows, np.float64).reshape(-1, 2).T
            is_longer = tokens[:, None] > tokens
            balance += float(np.sign(values[:, None] - values)[is_longer].sum())
            pairs += int(is_longer.sum())
    return balance / pairs if pairs >= LEAST_PAIRS else None


def unsolved(traces: Iterable[VerifiedTree]) -> float | None:
    """The share of training problems without a right solution in their tree: nothing is learned from these."""
    is_empty = [Outcome.CORRECT not in one.outcomes.values() for one in traces]
    return _ratio(sum(is_empty), len(is_empty))


def disagreement(traces: Iterable[VerifiedTree], again: Callable[[VerifiedTree], VerifiedTree]) -> float | None:
    """The share of verdicts that are others when the verifier is asked again, or of labels that then are: the greatest.

    Args:
        again: Judges a tree anew. Trees that were judged without a gold answer are left out, and those on which a
            verifier ran out of time, then or now.
    """
    differing: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for one in traces:
        if not one.gold:
            continue
        other = again(one)
        if Outcome.TIMEOUT in (*one.outcomes.values(), *other.outcomes.values()):
            continue
        known["outcome"] += len(other.outcomes)
        differing["outcome"] += sum(one.outcomes.get(node) is not said for node, said in other.outcomes.items())
        for kind in ("hard", "progress", "soft"):
            was, now = (getattr(side.labels, kind) for side in (one, other))
            known[kind] += int((~np.isnan(was) | ~np.isnan(now)).sum())
            differing[kind] += int((~np.isclose(was, now, equal_nan=True)).sum())
    return max((differing[kind] / known[kind] for kind in known if known[kind]), default=None)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _draws(samples: Sequence[VerifiedTree]) -> int:
    return sum(int(one.tree.visits[ROOT]) for one in samples)


def _leaves(tree: SearchTree) -> list[int]:
    """Where solutions end, complete or broken off."""
    inner = set(tree.parent.tolist()) - {NO_NODE}
    return [node for node in range(1, len(tree.parent)) if node not in inner]


def _repeats(one: VerifiedTree, leaf: int) -> bool:
    said = [step.text for step in one.tree.path(leaf)]
    return len(set(said)) < len(said) or any(_IN_A_ROW.search(text) for text in said)


def _tokens(tree: SearchTree, node: int) -> int:
    return sum(len(step.token_ids) for step in tree.path(node))


def _valued(one: VerifiedTree) -> list[tuple[int, float, bool]]:
    """Complete solutions that have a value and a verdict: node, value, whether it is right."""
    return [
        (node, float(one.tree.value[node]), outcome is Outcome.CORRECT)
        for node, outcome in sorted(one.outcomes.items())
        if outcome is not Outcome.TIMEOUT and not math.isnan(one.tree.value[node])
    ]
