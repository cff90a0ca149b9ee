"""Who is asked beside policy and PRM: the policy as its own critic, further critics, a fast policy."""

from __future__ import annotations

from pathlib import Path

from mcts.errors import InputError
from mcts.panel import Panel
from mcts.ports import StepScorer
from mcts.search import EtaMcts
from regrow.build import fields_of, policy_of, prompt_of, scorer_of
from regrow.config import WITHOUT_WEIGHTS, Config, settings_of
from regrow.strategy import Strategy


def panel_of(config: Config, policy: Path | None, strategy: Strategy) -> Panel:
    """The engines that a strategy's search asks, of those that the configuration names.

    Args:
        policy: The policy's checkpoint directory; None where a server has it.
    """
    critics = config.critics
    if not isinstance(strategy.search, EtaMcts):
        return Panel(critic=_self_critic(config, policy, strategy))
    return Panel(
        prm=scorer_of(config, Path(critics.prm)) if critics.prm else None,
        orm=scorer_of(config, Path(critics.orm)) if critics.orm else None,
        fast=policy_of(config, Path(critics.fast)) if critics.fast else None,
    )


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
