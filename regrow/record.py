"""What a run records of its configuration: all that its figures depend on."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from policy.server_settings import REACHING

if TYPE_CHECKING:
    from regrow.config import Config

NOT_RECORDED = ("run", "output", "out", "cache", "tree", "log", "view", "sweep", "dist")
"""Settings that say where things lie and run, and how they are shown: no figure depends on them; a later start may
differ."""
MAY_DIFFER = (*(f"policy.server.{name}" for name in REACHING), "alarms", "scheduler.silence_s")
"""Settings that are recorded, and in which a later start may differ, too: no figure depends on what they say."""


def recorded(config: Config | Any) -> dict[str, Any]:
    """The settings that manifest and report keep, as they read back from JSON; `config` may be plain already."""
    settings = config if isinstance(config, dict) else dataclasses.asdict(config)
    kept = {key: value for key, value in settings.items() if key not in NOT_RECORDED}
    plain: dict[str, Any] = json.loads(json.dumps(kept))
    return plain
