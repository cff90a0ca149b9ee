"""Something that is made where it is first needed: described here, loaded perhaps in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Lazy(Generic[T_co]):
    """What `make(*arguments)` gives, made at the first call and kept.

    To another process it goes as what it is made of, which must be able to travel, and is made anew there.
    """

    def __init__(self, make: Callable[..., T_co], *arguments: Any) -> None:
        self._make = make
        self._arguments = arguments
        self._made: list[T_co] = []

    def __call__(self) -> T_co:
        """The object. What `make` raises is raised, and tried again at the next call."""
        if not self._made:
            self._made.append(self._make(*self._arguments))
        return self._made[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return Lazy, (self._make, *self._arguments)
