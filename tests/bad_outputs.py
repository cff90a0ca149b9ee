"""What models and their servers say that cannot be used: replies that are none, texts that are hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bad_input import HERE, MODELS, BadCommand
from fake_server import FakeServer, breaks_off, cuts_a_chunk, hangs_up, says, stalls, status
from grader_hostile import hostile_answers

URL = "URL"


class Said(BadCommand):
    """A search that a server answers in one way, whatever it is asked."""

    def fault(self, folder: Path) -> str:
        """What was wrong with how it was received."""
        server = FakeServer()
        try:
            reply = REPLIES[self.name.partition(": ")[2]]
            if callable(reply):
                server.faults = [reply] * 50
            else:
                server.reply = lambda body: reply
            words = [word.replace(URL, server.url) for word in self.words]
            return BadCommand(self.name, words, self.names, self.make, self.passes).fault(folder)
        finally:
            server.stop()


def _choice(text: object = "2 + 3 = 5", **fields: Any) -> dict[str, Any]:
    logprobs = {"tokens": [text], "token_logprobs": [-0.5]}
    choice = {"index": 0, "text": text, "finish_reason": "stop", "stop_reason": None, "logprobs": logprobs, **fields}
    return {"choices": [choice], "usage": {"completion_tokens": 1}}


def _logprobs(tokens: object, values: object) -> dict[str, Any]:
    return _choice(logprobs={"tokens": tokens, "token_logprobs": values})


REPLIES: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "cut off": b'{"choices": [',
    "an empty object": {},
    "no choices": {"choices": []},
    "choices null": {"choices": None},
    "choices text": {"choices": "x"},
    "choice null": {"choices": [None]},
    "choice empty": {"choices": [{}]},
    "too many": {"choices": _choice()["choices"] * 3},
    "text null": _choice(None),
    "text number": _choice(5),
    "text list": _choice(["a"]),
    "text object": _choice({"a": 1}),
    "text empty": _choice(""),
    "text blank": _choice(" \n\t"),
    "text nul": _choice("\x00" * 50),
    "text surrogate": _choice("\ud800"),
    "text newlines": _choice("\n" * 500),
    "text long": _choice("x" * 300_000),
    "text script": _choice("<script>alert(1)</script>"),
    "text escape": _choice("\x1b[2J\x1b]0;x\x07"),
    "text right to left": _choice("\u202e5 = 3 + 2"),
    "text digits": _choice("9" * 9_000 + " + 1 = 2"),
    "text tower": _choice("9 ** 9 ** 9 = 5"),
    "text code": _choice("__import__('os').system('touch x') = 5"),
    "text deep": _choice("(" * 9_000),
    "reason null": _choice(finish_reason=None),
    "reason number": _choice(finish_reason=5),
    "reason other": _choice(finish_reason="tired"),
    "no logprobs": _choice(logprobs=None),
    "logprobs text": _choice(logprobs="x"),
    "logprobs empty": _choice(logprobs={}),
    "tokens fewer": _logprobs(["a"], [-0.5, -0.5]),
    "tokens null": _logprobs(None, None),
    "tokens numbers": _logprobs([5], [-0.5]),
    "logprob nan": json.dumps(_logprobs(["a"], [float("nan")])).encode(),
    "logprob positive": _logprobs(["a"], [5.0]),
    "logprob text": _logprobs(["a"], ["x"]),
    "logprob null": _logprobs(["a"], [None]),
    "logprob large": _logprobs(["a"], [10**400]),
    "tokens many": _logprobs(["a"] * 50_000, [-0.5] * 50_000),
    "index text": _choice(index="x"),
    "index far": _choice(index=10**9),
    "usage text": _choice() | {"usage": "x"},
    "ids text": _choice(token_ids="x"),
    "ids negative": _choice(token_ids=[-1]),
    "ids large": _choice(token_ids=[2**70]),
    "ids nested": _choice(token_ids=[[1]]),
    "ids null": _choice(token_ids=[None]),
    "deep": b"[" * 50_000,
    "401": status(401),
    "403": status(403),
    "404": status(404),
    "418": status(418),
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "a redirect": status(302, Location="http://127.0.0.1:9/"),
    "an error of lines": status(400, "a\nb\n" * 500),
    "a long error": status(400, "x" * 100_000),
    "a script in an error": status(400, "<script>"),
    "hangs up": hangs_up,
    "breaks off": breaks_off,
    "cuts a chunk": cuts_a_chunk,
    "stalls": stalls(3.0),
    "wrong length": says(b"{}", Content_Length="0"),
    "other type": says(b"{}", Content_Type="image/png"),
}
"""By what is wrong: a body, or a way to fail."""


def outputs() -> Iterator[BadCommand]:
    """Searches that ask such servers, and recorded solutions whose texts are hostile."""
    words = [
        "search", "2 3 -> 5", "policy=server", f"policy.server.urls=[{URL}]", "policy.server.attempts=1",
        "policy.server.timeout_s=2", f"prm.path={MODELS}/prm", "budget.tokens=20", "scheduler.max_depth=3",
    ]  # fmt: skip
    for name in REPLIES:
        yield Said(f"output/server: {name}", words, ("http://127.0.0.1", "trees were given up"), passes=True)
    for number, text in enumerate(hostile_answers()):
        if len(text) < 100_000:
            yield _recorded(number, text)


def _recorded(number: int, text: str) -> BadCommand:
    """A solution that says this, of a problem that the grader judges."""

    def make(folder: Path) -> None:
        asked = {"id": "a", "problem": "What is the length?", "answer": r"\sqrt{2}"}
        said = {"id": "a", "completions": [rf"\boxed{{{text}}}", text], "scores": [0.5, 0.25]}
        (folder / "problems.jsonl").write_text(json.dumps(asked))
        (folder / "in.jsonl").write_text(json.dumps(said))

    words = [
        "evaluate", f"run.dir={HERE}/run", "task=file", "policy=recorded", "prm=recorded", "budgets=[2]",
        f"policy.recorded.path={HERE}/in.jsonl", f"problems={HERE}/problems.jsonl", "strategies=[weighted_vote]",
    ]  # fmt: skip
    return BadCommand(f"output/text {number}: {text[:30]!a}", words, ("in.jsonl",), make, passes=True)
