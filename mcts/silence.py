"""Silence: engines that owe replies and give none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from mcts.errors import InputError
from mcts.lane import Lane
from mcts.types import Role


class SilentError(InputError):
    """An engine has lost requests, or hangs."""


@dataclass(slots=True)
class Silence:
    """How long nothing has come, though somebody waits.

    An engine that computes where it is asked is never silent: it answers before it returns.

    Attributes:
        longest_s: Seconds after which it is an error.
    """

    longest_s: float
    _since: float | None = None

    def listen(self, lanes: Mapping[Role, Lane], *, is_broken: bool) -> None:
        """Note that engines were asked what they have, and whether there was anything.

        Raises:
            SilentError: It has lasted too long.
        """
        if is_broken or self._since is None:
            self._since = None if is_broken else monotonic()
        elif monotonic() - self._since >= self.longest_s:
            self._since = None
            if owed := [f"the {role} {count}" for role, lane in lanes.items() if (count := lane.owed())]:
                raise SilentError(
                    f"no reply for {self.longest_s:g} s, of requests open: {', '.join(owed)}; expected one within "
                    "scheduler.silence_s; run the same command again, it goes on where it stopped"
                )
