"""An OpenAI-compatible server on loopback with a verifier, in threads: for tests of whole commands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class LoopbackModels:
    """`answer` makes the text of a choice from the request's body and its place; a status other than 200 fails all.

    seen: bodies, in the order in which they came; most_at_once: requests that were served side by side.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any], int], str] = lambda _body, _place: "Answer: 55",
        *,
        status: int = 200,
        seconds: float = 0.0,
        completion_tokens: int = 20,
        score: float = 0.9,
    ) -> None:
        self.answer, self.status, self.seconds = answer, status, seconds
        self.completion_tokens, self.score = completion_tokens, score
        self.seen: list[dict[str, Any]] = []
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        models = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                models._answer(self, body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.seen.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            time.sleep(self.seconds)
            made = self._scores(body) if handler.path.endswith("/score") else self._choices(body)
            data = json.dumps(made if self.status == 200 else {"error": {"message": "it is broken"}}).encode()
            handler.send_response(self.status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # whoever asked has gone
        finally:
            with self._lock:
                self._at_once -= 1

    def _choices(self, body: dict[str, Any]) -> dict[str, Any]:
        n = body.get("n") or 1
        most = body.get("max_tokens") or body.get("max_completion_tokens") or self.completion_tokens
        texts = [self.answer(body, place) for place in range(n)]
        finish = "length" if most < self.completion_tokens else "stop"
        choices = [
            {"index": i, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
            for i, text in enumerate(texts)
        ]
        tokens = min(self.completion_tokens, most) * n
        usage = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": 12 + tokens}
        return {"object": "chat.completion", "model": body["model"], "choices": choices, "usage": usage}

    def _scores(self, body: dict[str, Any]) -> dict[str, Any]:
        completions = body.get("completions") or []
        return {"scores": [[self.score] for _ in completions], "usage": {"prompt_tokens": 30 * len(completions)}}
