"""Who is asked beside policy and PRM: the policy as its own critic, further critics, a fast policy."""

from __future__ import annotations

from pathlib import Path

from mcts.errors import InputError
from mcts.panel import Panel
from mcts.ports import StepScorer
from mcts.search import EtaMcts
from prm.fixed import ConstantScorer
from regrow.build import fields_of, policy_of, prompt_of, scorer_of
from regrow.config import WITHOUT_WEIGHTS, Config, settings_of
from regrow.models import Models
from regrow.strategy import Strategy


def panel_of(config: Config, models: Models, strategy: Strategy) -> Panel:
    """The engines that a strategy's search asks, of those that there are.

    Args:
        models: Of the round; with `critics.shared` its PRM is every critic.
    """
    critics = config.critics
    if not isinstance(strategy.search, EtaMcts):
        return Panel(critic=_self_critic(config, models.policy, strategy))
    process, outcome = (models.prm, models.prm) if critics.shared else (models.process, models.outcome)
    return Panel(
        prm=scorer_of(config, process) if process else None,
        orm=_orm(config, outcome),
        fast=policy_of(config, Path(critics.fast)) if critics.fast else None,
    )


def _orm(config: Config, path: Path | None) -> StepScorer | None:
    """The outcome reward model, with its tool if it has one; the tool judges alone where there is no model."""
    if not config.critics.tool:
        return scorer_of(config, path) if path else None
    from regrow.grader import shared_grader
    from regrow.tool_orm import ToolOrm

    return ToolOrm(scorer_of(config, path) if path else ConstantScorer(1.0), shared_grader())


def _self_critic(config: Config, path: Path | None, strategy: Strategy) -> StepScorer | None:
    """The policy of a checkpoint directory as its own critic, for a search that asks one.

    Raises:
        InputError: The policy has no words for it, or is no checkpoint here.
    """
    if not getattr(strategy.search, "asks_critic", False):
        return None
    if config.policy.engine in WITHOUT_WEIGHTS or path is None:
        raise InputError(f"policy={config.policy.engine}: is no critic of its own, expected search.asks_critic=false")
    from policy.critic import CriticFormat, SelfCritic

    asked = settings_of(CriticFormat, fields_of(config.policy.critic), "policy.critic")
    return SelfCritic.load(path, asked, prompt_of(config))
