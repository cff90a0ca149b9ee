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
    SPREAD = "spread"
    """That of its children's means, I = max over i of |Q_i - mean_j Q_j|: floor(scale I) (AlphaLLM's released code)."""


@dataclass(frozen=True, slots=True)
class Widening:
    """The continuations drawn at a node, duplicates included, beyond those it was expanded with; one at a time.

    Attributes:
        growth: Of `Growth`.
        scale: See `Growth`.
        power: See `Growth`.
        least: Continuations that every node is to have.
        most: Continuations that a node never exceeds. Up to them draws also go on where every branch is exhausted,
            since nothing there can gain visits any more.
        root_least: `least` of the root; None takes the same.
        root_most: `most` of the root; None takes the same.

    Raises:
        ValueError: A growth that does not exist, a scale, power or limit that is not positive, or `least` > `most`.
    """

    growth: str = Growth.FIXED.value
    scale: float = 1.0
    power: float = 0.5
    least: int = 1
    most: int = 16
    root_least: int | None = None
    root_most: int | None = None

    def __post_init__(self) -> None:
        if self.growth not in list(Growth):
            raise ValueError(f"widening.growth={self.growth}, expected one of {', '.join(Growth)}")
        for name, limit in (("scale", self.scale), ("power", self.power), ("least", self.least), ("most", self.most)):
            if not limit > 0:
                raise ValueError(f"widening.{name}={limit}, expected more than 0")
        least, most, root_least, root_most = self.bounds
        if least > most or not 0 < root_least <= root_most:
            raise ValueError(f"{self}: expected least <= most and 0 < root_least <= root_most")

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Least and most continuations of a node, and of the root."""
        root_least = self.least if self.root_least is None else self.root_least
        return self.least, self.most, root_least, self.most if self.root_most is None else self.root_most

    @property
    def is_fixed(self) -> bool:
        """Whether a node keeps the continuations it was expanded with."""
        return self.growth == Growth.FIXED


FIXED = Widening()
"""Every node keeps the continuations it was expanded with."""

ADAPTIVE = Widening(Growth.IMPORTANCE.value, least=2, most=10, root_least=10, root_most=60)
"""AlphaLLM's limits for GSM8K, the smaller search (appendix 7.6)."""
