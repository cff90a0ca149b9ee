"""The objectives that a policy can be retrained by, by name: the group `objective` of the configuration."""

from __future__ import annotations

from regrow.objectives.cream import Cream
from regrow.objectives.dno import DirectNash
from regrow.objectives.dpo import DpoSolutions
from regrow.objectives.hindsight import Hindsight
from regrow.objectives.kto import KtoSolutions
from regrow.objectives.laser import LaserSolutions
from regrow.objectives.objective import Objective
from regrow.objectives.rest_em import RestEm
from regrow.objectives.scir import ConsistentRewards
from regrow.objectives.self_reinforcement import SelfReinforcement
from regrow.objectives.self_rewarding import SelfRewarding
from regrow.objectives.selm import SelmSolutions
from regrow.objectives.spin import SelfPlay
from regrow.objectives.step_dpo import StepDpo
from regrow.objectives.supervised import SupervisedTraces
from regrow.objectives.t_reg import TRegSolutions
from regrow.objectives.temporal_self_rewarding import TemporalSelfRewarding

__all__ = ["OBJECTIVES", "Objective", "SupervisedTraces"]

OBJECTIVES: dict[str, type[Objective]] = {
    "cream": Cream,
    "dno": DirectNash,
    "dpo": DpoSolutions,
    "hindsight": Hindsight,
    "kto": KtoSolutions,
    "laser": LaserSolutions,
    "rest_em": RestEm,
    "scir": ConsistentRewards,
    "self_reinforcement": SelfReinforcement,
    "self_rewarding": SelfRewarding,
    "selm": SelmSolutions,
    "spin": SelfPlay,
    "step_dpo": StepDpo,
    "supervised": SupervisedTraces,
    "t_reg": TRegSolutions,
    "temporal_self_rewarding": TemporalSelfRewarding,
}
