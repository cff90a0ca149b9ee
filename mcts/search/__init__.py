"""The searches: each is a page that reads like the paper's pseudo-code."""

from mcts.search.auto import Auto
from mcts.search.best_of_n import BestOfN
from mcts.search.eta_mcts import EtaMcts
from mcts.search.mcts_star import MctsStar
from mcts.search.puct import Puct
from mcts.search.rollout_branching import RolloutBranching
from mcts.search.search import Search
from mcts.search.step_beam import StepBeam
from mcts.search.tree_of_thoughts import TreeOfThoughtsDfs

__all__ = [
    "Auto",
    "BestOfN",
    "EtaMcts",
    "MctsStar",
    "Puct",
    "RolloutBranching",
    "Search",
    "StepBeam",
    "TreeOfThoughtsDfs",
]
