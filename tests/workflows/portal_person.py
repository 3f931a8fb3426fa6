"""A person at the labelling portal, over HTTP, without a browser: comes in by the printed link and answers tasks."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from local import stack


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Person:
    def __init__(self, server: stack.Server) -> None:
        link = stack.portal_link(server)
        self.address = "{0.scheme}://{0.netloc}".format(urlsplit(link))
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))
        self._open(urllib.request.Request(link))

    def get(self, path: str) -> Answer:
        return self._open(urllib.request.Request(self.address + path))

    def post(self, path: str, document: Any = None) -> Answer:
        data = json.dumps(document or {}).encode()
        return self._open(urllib.request.Request(self.address + path, data, {"origin": self.address}, method="POST"))

    def jobs(self) -> list[dict[str, Any]]:
        """Jobs with open tasks."""
        return [job for job in self.get("/api/jobs").json["jobs"] if job["status"] == "open"]

    def next(self, job: str) -> str | None:
        task: str | None = self.post(f"/api/jobs/{job}/next").json["task"]
        return task

    def submit(self, task: str, content: Mapping[str, Any], submission: str = "", seconds: float = 0.5) -> Answer:
        document = {"answer": content, "submission": submission or uuid.uuid4().hex, "seconds": seconds}
        return self.post(f"/api/tasks/{task}/answer", document)

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())
