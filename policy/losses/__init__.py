"""Losses of a policy, a file each: what lessons they read, and what their log-probabilities cost."""

from policy.losses.dpo import Dpo
from policy.losses.kto import Kto
from policy.losses.laser import Laser, reserved
from policy.losses.loss import LogProbs, Loss
from policy.losses.selm import Selm
from policy.losses.supervised import Supervised
from policy.losses.t_reg import TReg

__all__ = ["Dpo", "Kto", "Laser", "LogProbs", "Loss", "Selm", "Supervised", "TReg", "reserved"]
