"""What the scorer in vLLM needs of an engine. `regrow.build` brings the one of `policy`, which knows vLLM's ways."""

from __future__ import annotations

from collections.abc import Coroutine
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


class StartEngine(Protocol):
    """Starts an engine, or gives the one that runs already."""

    def __call__(self, path: Path, digest: str, dtype: str, runner: str) -> Engine:
        """The engine.

        Args:
            path: A Hugging Face directory that vLLM serves.
            digest: Of all that decides its replies.
            dtype: The checkpoint's own.
            runner: `generate` or `pooling`.

        Raises:
            InputError: vLLM is not installed, or cannot serve the checkpoint.
        """
