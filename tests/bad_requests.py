"""Bodies that the server cannot take: each gets a status of 4xx and one line that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bad_input import EXPECTATIONS, LONGEST_LINE
from fakes import ScriptedPolicy, World
from serving import QUESTION, fake_service
from starlette.testclient import TestClient

from mcts.budget import Budget
from regrow.serve.app import create_app

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
SOUND: dict[str, dict[str, Any]] = {
    CHAT: {"model": "fake", "messages": [{"role": "user", "content": QUESTION}]},
    TEXT: {"model": "fake", "prompt": QUESTION},
}
NUMBERS = ("x", -1, 0, 1.5, [1], {}, True, 10**30, "NaN", "1e400")
FIELDS: dict[str, tuple[Any, ...]] = {
    "model": (None, 5, "", "gpt-4", "fake@chess", "@", "fake@", [], "../fake", "\ud800"),
    "n": ("x", -1, 0, 1.5, [1], {}, 10**30, 17),
    "stop": (5, {}, [1], ["a"] * 5, [""], "", [None]),
    "seed": ("x", 1.5, [1], 2**63, -(2**63) - 1),
    "max_tokens": ("x", -1, 0, 1.5, [1], {}, 10**30),
    "temperature": ("x", -1, 2.5, [1], {}, 10**30),
    "stream": ("x", 5, [1], {}),
    "stream_options": (5, "x", {"foo": 1}, {"include_usage": True}),
    "regrow": (
        5,
        "x",
        [],
        {"strategy": "chess"},
        {"strategy": 5},
        {"tokens": 0},
        {"tokens": -1},
        {"tokens": 10**30},
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": "x"},
        {"trace": "x"},
        {"foo": 1},
        {"gold": "21"},
    ),
    "user": (5, [], {}),
    "top_p": (0.5, 2, "x"),
    "frequency_penalty": (1, "x"),
    "presence_penalty": (1, -1),
    "logit_bias": ({"5": 1}, 5, "x"),
    "logprobs": (True, 5),
    "foo": (1,),
    "tools": ([{"type": "function"}],),
    "trust_remote_code": (True,),
    "messages.0.content": (None,),
}
OF_CHAT = {
    "messages": (
        None,
        5,
        "x",
        [],
        {},
        [5],
        [None],
        [{}],
        [{"role": "user"}],
        [{"content": QUESTION}],
        [{"role": "wizard", "content": "x"}],
        [{"role": "assistant", "content": QUESTION}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": [{"type": "image_url"}]}],
        [{"role": "user", "content": QUESTION, "foo": 1}],
        [{"role": "user", "content": [5]}],
    ),
    "response_format": (5, {"type": "json_object"}),
    "store": (True,),
    "functions": ([],),
    "audio": ({},),
}
OF_TEXT = {
    "prompt": (
        None,
        5,
        "",
        "   ",
        "two and two",
        [],
        [QUESTION, QUESTION],
        [1, 2, 3],
        {},
        "2 3 -> \ud800",
        "2 \x00 -> 5",
        "1 " * 5_000 + "-> 5",
        "2 " + "9" * 9_000 + " -> 5",
        "<script>",
        "-> 5",
        "2 3 -> 5 -> 6",
    ),
    "echo": (True,),
    "best_of": (2,),
    "suffix": ("x",),
}
RAW: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"x",
    "cut off": b'{"model": "fake", "prom',
    "null": b"null",
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"x"',
    "nul": b"\x00" * 10,
    "latin-1": b'{"model": "\xe9"}',
    "utf-16": "{}".encode("utf-16"),
    "deep": b"[" * 50_000,
    "deep objects": b'{"a":' * 50_000,
    "a long number": b'{"seed": ' + b"9" * 9_000 + b"}",
    "nan": b'{"model": "fake", "temperature": NaN}',
    "infinity": b'{"model": "fake", "temperature": Infinity}',
    "too large": b'{"model": "' + b"x" * (2 << 20) + b'"}',
    "xml": b"<model>fake</model>",
    "a form": b"model=fake",
    "an empty object": b"{}",
}


@dataclass(frozen=True)
class BadRequest:
    """A body, and what the refusal names."""

    name: str
    path: str
    body: bytes
    names: tuple[str, ...] = ()

    def fault(self, folder: Path) -> str:
        """What was wrong with the reply."""
        reply = _client().post(self.path, content=self.body, headers={"Content-Type": "application/json"})
        if not 400 <= reply.status_code < 500:
            return f"status {reply.status_code}: {reply.text[:200]}"
        told = reply.json()["error"]
        said = told["message"]
        if "\n" in said or not 0 < len(said) <= LONGEST_LINE or "Traceback" in said:
            return f"not one line: {said!r}"
        if self.names and not any(name in f"{told['param']} {said}" for name in self.names):
            return f"names none of {self.names}: {told}"
        if not any(word in said for word in (*EXPECTATIONS, "not permitted", "required")):
            return f"does not say what was expected: {said}"
        return ""


def requests() -> Iterator[BadRequest]:
    """All of them."""
    for path, own in ((CHAT, OF_CHAT), (TEXT, OF_TEXT)):
        kind = path.rpartition("/v1/")[2]
        for name, body in RAW.items():
            yield BadRequest(f"http/{kind}: {name}", path, body)
        for field, values in {**FIELDS, **own}.items():
            for value in values:
                yield BadRequest(
                    f"http/{kind}: {field}={value!r}"[:80],
                    path,
                    _body(SOUND[path] | {field: value}),
                    _names(field, value),
                )
        for field in SOUND[path]:
            rest = {key: value for key, value in SOUND[path].items() if key != field}
            yield BadRequest(f"http/{kind}: no {field}", path, _body(rest), (field,))


def _names(field: str, value: object) -> tuple[str, ...]:
    if field == "prompt":
        return ("prompt", "question")
    inner = tuple(value) if isinstance(value, Mapping) else ()
    return (field, *inner)


def _body(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()


@cache
def _client() -> TestClient:
    service = fake_service(ScriptedPolicy(World()), budget=Budget(tokens=20), deadline_s=2.0, max_tokens=200)
    return TestClient(create_app(service), raise_server_exceptions=False)
