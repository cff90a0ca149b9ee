"""A loopback server of the OpenAI kind that can misbehave on command. Its replies are hashes of what was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mcts.seeds import seed_of

Body = dict[str, Any]
Fault = Callable[["Handler"], None]


def completed(body: Body) -> Body:
    """A reply as vLLM gives it: 'w<k>' for each choice, at a delimiter, or the end for every third."""
    choices = []
    for i in range(body.get("n", 1)):
        number = seed_of(json.dumps([body.get("prompt"), body.get("messages")]), body["seed"], i)
        text, ends = f"w{number % 7}", number % 3 == 0 or "stop" not in body
        stop = None if ends else body["stop"][0]
        logprobs = {"tokens": [text, stop or "<eos>"], "token_logprobs": [-0.5, -0.25]}
        choices.append({"index": i, "text": text, "finish_reason": "stop", "stop_reason": stop, "logprobs": logprobs})
    return {"choices": choices, "usage": {"completion_tokens": 2 * len(choices)}}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: FakeServer

    def setup(self):
        super().setup()
        self.server.connections.append(self.connection)

    def do_GET(self):
        known = [{"id": name, "root": self.server.root, "owned_by": "somebody"} for name in self.server.models or ()]
        if self.server.models is None:
            self.send({"error": {"message": "no such page"}}, 404)
        else:
            self.send({"data": known})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.begin(body, self.headers)
        try:
            if fault:
                fault(self)
            else:
                time.sleep(self.server.delay_s)
                self.send(self.server.reply(body))
        except OSError:
            self.close_connection = True  # the client has gone
        finally:
            self.server.end()

    def send(self, reply: object, status: int = 200, **headers: str):
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, headers.pop(name.replace("-", "_"), value))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class FakeServer(ThreadingHTTPServer):
    """Answers with `reply`; the next requests fail as `faults` say.

    Attributes:
        models: What it lists; None: it has no list.
        asked: Bodies, with their headers and times, in order of arrival.
        most_open: Most requests that were open at once.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.reply: Callable[[Body], object] = completed
        self.faults: list[Fault] = []
        self.models: list[str] | None = ["tiny"]
        self.root = "/tiny"
        self.asked: list[tuple[Body, dict[str, str], float]] = []
        self.connections: list[socket.socket] = []
        self.delay_s = 0.0
        self.open = self.most_open = 0
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def bodies(self) -> list[Body]:
        return [body for body, _, _ in self.asked]

    def begin(self, body: Body, headers: Any) -> Fault | None:
        with self._lock:
            self.asked.append((body, dict(headers), time.monotonic()))
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            return self.faults.pop(0) if self.faults else None

    def end(self) -> None:
        with self._lock:
            self.open -= 1

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


# --- faults -----------------------------------------------------------------------------------------------------------


def status(code: int, message: str = "no", **headers: str) -> Fault:
    return lambda handler: handler.send({"error": {"message": message}}, code, **headers)


def says(reply: object, **headers: str) -> Fault:
    return lambda handler: handler.send(reply, **headers)


def stalls(seconds: float) -> Fault:
    return lambda handler: time.sleep(seconds)


def breaks_off(handler: Handler) -> None:
    """Promises more than it sends."""
    handler.close_connection = True
    handler.send(b'{"choices": [', Content_Length="5000")


def cuts_a_chunk(handler: Handler) -> None:
    """Ends in the middle of a chunk."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'ff\r\n{"choices": [')


def hangs_up(handler: Handler) -> None:
    """Closes without a word."""
    handler.close_connection = True
