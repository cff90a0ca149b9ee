"""How the server is reached, and what it lets a request ask for."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHOICES = 16
"""The largest `n`."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """An HTTP server of the OpenAI kind; `regrow serve KEY=...` sets these without `serve.` before them.

    Attributes:
        host: Where it listens; anything but the loopback asks for a key.
        port: 0 takes a free one.
        model: What it calls its model; None calls it `regrow-` and the task's name.
        key_env: Environment variable that holds the key that clients send; None asks for none.
        max_body: Bytes of a request's body.
        max_prompt_tokens: Tokens of a prompt (bytes, where no tokenizer is at hand); None takes the policy's window.
        max_tokens: Most tokens that a request's `tokens` and `max_tokens` may name.
        concurrent: Requests that are searched at once.
        queue: Requests that may wait beside these; the next is refused with 429.
        deadline_s: When a request has its answer, the best so far, at the latest; it may ask for an earlier one.
        progress_s: Seconds between the comments that tell a stream how far its search is.
        heartbeat_s: Seconds between the comments that keep a stream open while it waits.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    key_env: str | None = None
    max_body: int = 1 << 20
    max_prompt_tokens: int | None = None
    max_tokens: int = 100_000
    concurrent: int = 256
    queue: int = 256
    deadline_s: float = 60.0
    progress_s: float = 1.0
    heartbeat_s: float = 15.0

    def __post_init__(self) -> None:
        if self.model is not None and (not self.model or "@" in self.model):
            raise ValueError(f"model={self.model!r}, expected a name without @, behind which a strategy is named")
        if not 0 <= self.port < 1 << 16:
            raise ValueError(f"port={self.port}, expected 0 to {(1 << 16) - 1}")
        if self.queue < 0:
            raise ValueError(f"queue={self.queue}, expected 0 or more")
        amounts = ("max_body", "max_tokens", "concurrent", "deadline_s", "progress_s", "heartbeat_s")
        for name in (*amounts, *(["max_prompt_tokens"] if self.max_prompt_tokens is not None else [])):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}, expected more than 0")
