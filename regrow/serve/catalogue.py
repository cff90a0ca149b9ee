"""What the server calls its model: the policy with its own strategy, or with a preset's behind an `@`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from mcts.panel import Panel
from mcts.search import EtaMcts
from regrow.build import strategy_of
from regrow.compose import preset_names, search_nodes
from regrow.config import Config
from regrow.models import Models
from regrow.panel import panel_of
from regrow.serve.errors import ApiError, bad_request
from regrow.strategy import Strategy
from regrow.tasks.task import Task

AT = "@"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The strategies that may be asked for.

    Attributes:
        model: The server's name for its model.
        own: The strategy of the configuration.
        presets: The files of `conf/search`, by name.
    """

    model: str
    own: Strategy
    presets: Mapping[str, Strategy]

    def models(self) -> list[str]:
        """Every name that a request may give for its model."""
        return [self.model, *(f"{self.model}{AT}{name}" for name in self.presets)]

    def strategy(self, model: str, preset: str | None = None) -> Strategy:
        """The strategy of a model's name, or of a `preset` beside it.

        Raises:
            ApiError: There is no such model (404) or preset, or the two differ.
        """
        name, at, behind = model.partition(AT)
        if name != self.model or (at and behind not in self.presets):
            raise ApiError(
                404,
                f"the model {model!r} does not exist, expected {self.model} or {self.model}{AT}STRATEGY, "
                "as /v1/models lists them",
                param="model",
                code="model_not_found",
            )
        if preset is not None and at and preset != behind:
            raise bad_request(
                f"strategy {preset!r} beside the model {model!r}, expected one of them", "regrow.strategy"
            )
        chosen = preset if preset is not None else behind
        if not at and preset is None:
            return self.own
        if chosen not in self.presets:
            raise bad_request(f"strategy {chosen!r}, expected one of {', '.join(self.presets)}", "regrow.strategy")
        return self.presets[chosen]


def catalogue_of(config: Config, task: Task, model: str) -> Catalogue:
    """All presets, composed once. To be called within `run_composed`."""
    names = preset_names()
    nodes = zip(names, search_nodes(names), strict=True)
    presets = {name: strategy_of(node, config, task) for name, node in nodes}
    return Catalogue(model, strategy_of(config.search, config, task), presets)


def shared_panel(config: Config, models: Models, catalogue: Catalogue) -> Panel:
    """Whom the strategies ask beside policy and PRM: eta-MCTS its critics, the configuration's own what it names."""
    own = panel_of(config, models, catalogue.own)
    of_eta = next((one for one in catalogue.presets.values() if isinstance(one.search, EtaMcts)), None)
    if of_eta is None or isinstance(catalogue.own.search, EtaMcts):
        return own
    return dataclasses.replace(panel_of(config, models, of_eta), critic=own.critic)
