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
    search = strategy.search
    if not isinstance(search, EtaMcts):
        asks = getattr(search, "asks_critic", False)
        return Panel(critic=_self_critic(config, models.policy, "critic", "asks_critic=false") if asks else None)
    asks = search.merging.asks_judge
    process, outcome = (models.prm, models.prm) if critics.shared else (models.process, models.outcome)
    return Panel(
        prm=scorer_of(config, process) if process else None,
        orm=_orm(config, outcome),
        judge=_self_critic(config, models.policy, "judge", "merging.likeness=share") if asks else None,
        fast=policy_of(config, Path(critics.fast)) if critics.fast else None,
    )


def _orm(config: Config, path: Path | None) -> StepScorer | None:
    """The outcome reward model, with its tool if it has one; the tool judges alone where there is no model."""
    if not config.critics.tool:
        return scorer_of(config, path) if path else None
    from regrow.grader import shared_grader
    from regrow.tool_orm import ToolOrm

    return ToolOrm(scorer_of(config, path) if path else ConstantScorer(1.0), shared_grader())


def _self_critic(config: Config, path: Path | None, role: str, otherwise: str) -> StepScorer:
    """The policy of a checkpoint directory as its own critic or judge.

    Args:
        role: The key of `policy` that says how it is asked.
        otherwise: The setting of a search that asks nobody.

    Raises:
        InputError: The policy has no words for it, or is no checkpoint here.
    """
    if config.policy.engine in WITHOUT_WEIGHTS or path is None:
        raise InputError(f"policy={config.policy.engine}: is no {role} of its own, expected search.{otherwise}")
    from policy.critic import CriticFormat, SelfCritic

    asked = settings_of(CriticFormat, fields_of(getattr(config.policy, role)), f"policy.{role}")
    return SelfCritic.load(path, asked, prompt_of(config))
