"""Plain samples of a policy on a round's problems, as a stage: what some objectives compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcts.budget import Budget
from mcts.search import BestOfN
from mcts.tree import SearchTree
from regrow.build import policy_of
from regrow.engines import Engines
from regrow.experiment import Experiment
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.strategy import Strategy
from regrow.tasks.task import GradedProblem
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree

ONCE = Budget(simulations=1)


def sampler(it: Experiment, samples: int) -> Strategy:
    """What draws `samples` solutions of a problem, as warm as the search does."""
    return Strategy(BestOfN(width=samples, temperature=it.strategy.search.temperature, name="sample"))


def draw(
    it: Experiment, policy: Path, problems: Sequence[GradedProblem], samples: int, folder: Path, *, name: str, what: str
) -> dict[str, Any]:
    """Write `samples` solutions of each problem to `folder`; no gold answer is in reach, and none is verified.

    Args:
        policy: Who draws.
        name: The stage's, which seeds the draws.
        what: What the progress bar says.

    Returns:
        `tokens_generated`.
    """
    strategy = sampler(it, samples)
    queries = [strategy.query(graded.problem, ONCE, it.config.seed, name) for graded in problems]
    engines = Engines(Lazy(policy_of, it.config, policy))
    trees = grow(queries, engines, it.config, scratch=it.run.scratch(name), what=what).trees
    write_trees(folder, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
    return {"tokens_generated": tokens_of(trees)}


def tokens_of(trees: Sequence[SearchTree]) -> int:
    """What it cost to grow these trees."""
    return sum(tree.spent.tokens_generated for tree in trees)
