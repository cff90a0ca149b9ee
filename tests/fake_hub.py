"""A Hugging Face hub on loopback, as far as an upload asks: repositories, what to upload how, one commit."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeHub:
    """Keeps what was committed.

    Attributes:
        refuses: Answer every request with this status instead.
        created: The bodies of requests for new repositories.
        files: Path in the repository -> its bytes.
        tokens: What requests were authorized with.
    """

    def __init__(self) -> None:
        self.refuses: int | None = None
        self.created: list[dict] = []
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hub.tokens.add(self.headers["Authorization"])
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, reply = hub._reply(self.path, body)
                text = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, path: str, body: bytes) -> tuple[int, dict]:
        if self.refuses:
            return self.refuses, {"error": "no"}
        if path == "/api/repos/create":
            told = json.loads(body)
            self.created.append(told)
            kind = {"dataset": "datasets/"}.get(told.get("type"), "")
            return 200, {"url": f"{self.url}/{kind}{told['organization']}/{told['name']}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            told = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
            return 200, {"files": told}
        if path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            place = path.removeprefix("/api").removeprefix("/models").removesuffix("/commit/main")
            return 200, {"commitUrl": f"{self.url}{place}/commit/1", "commitOid": "1", "success": True}
        return 404, {"error": f"nobody expects {path}"}
