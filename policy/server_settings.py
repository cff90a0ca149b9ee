"""How a server of the OpenAI kind is reached and asked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

COMPLETIONS, CHAT = "completions", "chat"
REACHING = ("urls", "key_env", "timeout_s", "attempts", "concurrency", "rest_s", "rest_max_s")
"""Settings that say how a server is reached: they decide no reply, and a later start may differ in them."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """An endpoint that speaks the OpenAI protocol, or several that serve the same model.

    Attributes:
        urls: Bases, `/v1` included; the one with the fewest requests open is asked.
        model: As the server names it; None takes its only one.
        api: `completions` continues a text or token ids; `chat` continues an assistant's message.
        logprobs: Whether tokens are asked for with their log-probabilities. Without them each continuation is a
            request of its own, so that its tokens are counted.
        key_env: Environment variable that holds the key; None, or one that is not set, sends none.
        timeout_s: Longest time for a reply; the request is put again then.
        attempts: Failures in a row, of a request or of all URLs, that end the run.
        concurrency: Requests open at once at a URL; the others wait here.
        rest_s: How long a URL is left alone after a failure; twice as long after the next, and so on.
        rest_max_s: The longest of these, unless the server names its own by `Retry-After`.
    """

    urls: tuple[str, ...] = ("http://127.0.0.1:8000/v1",)
    model: str | None = None
    api: str = COMPLETIONS
    logprobs: bool = True
    key_env: str | None = "OPENAI_API_KEY"
    timeout_s: float = 120.0
    attempts: int = 10
    concurrency: int = 64
    rest_s: float = 0.5
    rest_max_s: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", tuple(url.rstrip("/") for url in self.urls))
        if not self.urls or len(set(self.urls)) < len(self.urls):
            raise ValueError(f"urls={list(self.urls)}, expected at least one, each once")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.username or parts.password:
                raise ValueError(f"urls: user and password for {parts.hostname}, expected the key in ${self.key_env}")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"urls: {url}, expected http://HOST:PORT/v1")
        if self.api not in (COMPLETIONS, CHAT):
            raise ValueError(f"api={self.api}, expected {COMPLETIONS} or {CHAT}")
        if min(self.timeout_s, self.attempts, self.concurrency, self.rest_s, self.rest_max_s) <= 0:
            raise ValueError(f"expected positive times, attempts and concurrency, got {self}")
