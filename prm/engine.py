"""What the scorer in vLLM needs of an engine. `regrow.build` brings the one of `policy`, which knows vLLM's ways."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

GENERATE, POOLING = "generate", "pooling"


class Engine(Protocol):
    """A running vLLM engine, with an event loop on a thread of its own."""

    def soon(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `work` on the engine's loop."""

    async def generate(self, prompt: list[int], sampling: Any, request_id: str) -> Any:
        """The finished output of a request."""

    async def encode(self, prompt: list[int], pooling: Any, request_id: str) -> Any:
        """The finished output of a pooling request."""


StartEngine = Callable[[Path, str, str, str], Engine]
"""Starts an engine, or gives the one that runs already: for a directory that vLLM serves, a digest of all that decides
replies, the checkpoint's own dtype, and `generate` or `pooling`. Raises `InputError` if vLLM cannot."""
