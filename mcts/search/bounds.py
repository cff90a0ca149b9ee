"""Between what bounds a search's settings must lie."""

from __future__ import annotations

from math import inf
from typing import Any


def check_bounds(
    search: Any, *, counts: tuple[str, ...] = (), amounts: tuple[str, ...] = (), shares: tuple[str, ...] = ()
) -> None:
    """Hold settings against their bounds; one that is None is open.

    Args:
        counts: Names of settings that are 1 or more.
        amounts: Finite and 0 or more.
        shares: From 0 to 1.

    Raises:
        ValueError: One lies outside.
    """
    for names, least, most in ((counts, 1, inf), (amounts, 0, inf), (shares, 0, 1)):
        for name in names:
            found = getattr(search, name)
            if found is not None and not (least <= found <= most and found < inf):
                told = f"from {least} to {most}" if most < inf else f"{least} or more"
                raise ValueError(f"{name}={found}, expected {told}")
