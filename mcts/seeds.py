"""Seeds by hash: a result depends on what is asked, never on what else was in the batch."""

from __future__ import annotations

from hashlib import blake2b

Part = int | str
"""What a seed may depend on."""


def seed_of(*parts: Part) -> int:
    """A 64-bit seed from what it is for, such as (run seed, round, problem id, strategy, ticket, purpose).

    >>> seed_of(1, "search", "p7") == seed_of(1, "search", "p7") != seed_of(1, "search", "p8")
    True
    """
    spelt = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(blake2b(spelt.encode(), digest_size=8).digest(), "little")
