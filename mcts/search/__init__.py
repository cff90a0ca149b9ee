"""The searches: each is a page that reads like the paper's pseudo-code."""

from mcts.search.best_of_n import BestOfN
from mcts.search.mcts_star import MctsStar
from mcts.search.rollout_branching import RolloutBranching
from mcts.search.search import Search

__all__ = ["BestOfN", "MctsStar", "RolloutBranching", "Search"]
