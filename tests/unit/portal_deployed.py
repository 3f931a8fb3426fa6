"""The portal as the stack has it, without a network: Cognito made up, sessions and pictures in moto, a real desk."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config
from portal_visitor import PNG, TEMPLATE, Clock, Visitor, boxes

from portal.server.app import create_app
from portal.server.cognito import NotSignedIn
from portal.server.desk import Job
from portal.server.memory_desk import MemoryDesk
from portal.server.sessions import Sessions
from portal.server.sign_in import SignIn
from portal.server.signed_images import SignedImages

DEPLOYED = "abc123.execute-api.eu-central-1.amazonaws.com"
ORIGIN = f"https://{DEPLOYED}"
BUCKET = "pictures"


@dataclass
class MadeUpPool:
    """Gives each code once, to whoever shows the verifier that belongs to the challenge."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def sign_in_address(self, callback: str, state: str, nonce: str, verifier: str) -> str:
        return f"https://cognito.example/oauth2/authorize?state={state}&nonce={nonce}&verifier={verifier}"

    def sign_out_address(self, back: str) -> str:
        return f"https://cognito.example/logout?logout_uri={back}"

    def code(self, person: str, address: str) -> str:
        """What Cognito sends a browser back with that it was sent to at `address`."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}-{person}"
        self.codes[code] = (person, query["nonce"], query["verifier"])
        return code

    def claims(self, code: str, callback: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        person, asked_nonce, asked_verifier = self.codes.get(code, ("", "", ""))
        if not person or verifier != asked_verifier:
            raise NotSignedIn("the code was used before, is too old, or is another browser's")
        del self.codes[code]
        if nonce != asked_nonce:
            raise NotSignedIn("the token is not for this sign-in (nonce)")
        return self.people[person]


class Deployed:
    """`clock` is epoch seconds of the sessions; the desk's own stands still."""

    def __init__(self, folder: Path) -> None:
        for name, text in {"index.html": "<p>jobs", "crowd.js": "shim()", "portal.css": "p{}"}.items():
            (folder / name).write_text(text)
        self.clock, desk_clock = Clock(), Clock()
        self.table = make_table()
        self.s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
        self.s3.create_bucket(Bucket=BUCKET)
        self.desk = MemoryDesk(desk_clock)
        self.pool = MadeUpPool()
        for name, groups in {"ann": ["annotators"], "bob": ["annotators"], "lea": ["leads"], "out": []}.items():
            claims = {"sub": f"sub-{name}", "email": f"{name}@example.com"}
            self.pool.people[name] = claims | ({"cognito:groups": groups} if groups else {})
        self.sessions = Sessions(self.table, self.clock)
        access = SignIn(self.pool, self.sessions, ORIGIN)
        images = SignedImages(self.s3, BUCKET)
        self.app = create_app(self.desk, access, [DEPLOYED], folder, images, "https")

    def stranger(self, **cookies: str) -> Visitor:
        return Visitor(self.app, host=DEPLOYED, cookies=dict(cookies), origin=ORIGIN)

    def begun(self) -> tuple[Visitor, str]:
        """A browser that was sent to Cognito, and where to."""
        visitor = self.stranger()
        return visitor, visitor.get("/session/begin").headers["location"]

    def person(self, name: str) -> Visitor:
        """Somebody who signed in."""
        visitor, address = self.begun()
        entered = visitor.get(f"/session/callback?code={self.pool.code(name, address)}&state={state_of(address)}")
        assert entered.status == 200, entered.text
        return visitor

    def job(self, name: str = "job", count: int = 3, **shown: Any) -> list[str]:
        given = {"taskObject": "s3://data/batch/honeypot-1.png", "labels": ["head"], "initial": [], "header": "Draw"}
        job = Job(name, "Draw", "All", "annotate", TEMPLATE, 600, self.desk._clock() + 3600, read={}.__getitem__)
        tasks = self.desk.lay_out(job, [given | shown] * count)
        for task in job.tasks:
            task.picture = f"portal-images/{task.position:032x}"
            self.s3.put_object(Bucket=BUCKET, Key=task.picture, Body=PNG)
        return tasks

    def held(self, visitor: Visitor, job: str = "job") -> str:
        task: str = visitor.post(f"/api/jobs/{job}/next").json["task"]
        return task

    def state(self) -> str:
        """All that a request could change, but the counters of requests."""
        rows = [row for row in self.table.scan()["Items"] if not row["Name"].startswith("minute#")]
        tasks = {name: repr(job.tasks) for name, job in self.desk._jobs.items()}
        objects = [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        ordered = sorted(rows, key=lambda row: (row["Group"], row["Name"]))
        return json.dumps([ordered, tasks, objects], default=str)


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


def token(claims: object) -> str:
    """An ID token that nobody signed."""
    parts = [json.dumps({"alg": "RS256"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def make_table() -> Any:
    names = {"Group": "S", "Name": "S", "Turn": "N"}
    keys = {"Group": "HASH", "Name": "RANGE"}
    turns = {"Group": "HASH", "Turn": "RANGE"}
    return boto3.resource("dynamodb").create_table(
        TableName="portal",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        LocalSecondaryIndexes=[
            {
                "IndexName": "Turns",
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in turns.items()],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def submission(**changes: Any) -> dict[str, Any]:
    """The body of a whole answer."""
    return {"answer": boxes(("head", 1, 1, 5, 5)), "submission": "s-1", "seconds": 1, **changes}
