"""How many continuations a node is given once it has been expanded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Growth(StrEnum):
    """What lets a node have more continuations than it was expanded with."""

    FIXED = "fixed"
    """Nothing."""
    PROGRESSIVE = "progressive"
    """Its visits n: ceil(scale n^power) (progressive widening: Coulom 2007, Chaslot et al. 2008)."""
    IMPORTANCE = "importance"
    """Its importance I = max over children c of |v(c) - v|: floor(scale I) + 1 (AlphaLLM, arXiv 2404.12253, 4.3.2)."""


@dataclass(frozen=True, slots=True)
class Widening:
    """The continuations drawn at a node, duplicates included, beyond those it was expanded with; one at a time.

    Attributes:
        growth: Of `Growth`.
        scale: See `Growth`.
        power: See `Growth`.
        most: Continuations that a node never exceeds. Up to them draws also go on where every branch is exhausted,
            since nothing there can gain visits any more.

    Raises:
        ValueError: A growth that does not exist, or a scale, power or limit that is not positive.
    """

    growth: str = Growth.FIXED.value
    scale: float = 1.0
    power: float = 0.5
    most: int = 16

    def __post_init__(self) -> None:
        if self.growth not in list(Growth):
            raise ValueError(f"widening.growth={self.growth}, expected one of {', '.join(Growth)}")
        for name, limit in (("scale", self.scale), ("power", self.power), ("most", self.most)):
            if not limit > 0:
                raise ValueError(f"widening.{name}={limit}, expected more than 0")

    @property
    def is_fixed(self) -> bool:
        """Whether a node keeps the continuations it was expanded with."""
        return self.growth == Growth.FIXED


FIXED = Widening()
"""Every node keeps the continuations it was expanded with."""
