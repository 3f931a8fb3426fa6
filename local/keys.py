"""The keys of one embedded AWS: a root key that is made anew at every start, and session keys of roles.

None can be guessed: other users and web pages reach 127.0.0.1 as well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from ministack.services import sts

_THIS_START = secrets.token_bytes(32)


@dataclass(frozen=True)
class Key:
    id: str
    secret: str = field(repr=False)


def new_root_key() -> Key:
    return Key(_id("AKIA", secrets.token_bytes(10)), secrets.token_urlsafe(30))


def session_of(role_arn: str, session_name: str, account: str) -> dict[str, str]:
    """AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the role, known to IAM from now on.

    The same role and session give the same keys until this process ends.
    """
    name = role_arn.rsplit("/", 1)[-1]
    drawn = {part: _drawn(f"{part}:{role_arn}:{session_name}") for part in ("id", "secret", "token")}
    access_key, secret, token = _id("ASIA", drawn["id"]), drawn["secret"].hex(), drawn["token"].hex()
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session_name[:64]}",
            "UserId": f"{name}:{session_name[:64]}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _drawn(what: str) -> bytes:
    return hmac.digest(_THIS_START, what.encode(), hashlib.sha256)


def _id(kind: str, drawn: bytes) -> str:
    return kind + base64.b32encode(drawn[:10]).decode()
