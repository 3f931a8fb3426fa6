"""The portal as the stack has it: people from Cognito, sessions in the table, pictures at S3."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from starlette.types import ASGIApp

import portal
from portal.server import audit
from portal.server.app import create_app
from portal.server.cognito import UserPool
from portal.server.empty_desk import EmptyDesk
from portal.server.sessions import Sessions
from portal.server.sign_in import SignIn
from portal.server.signed_images import SignedImages


def application(environment: Mapping[str, str]) -> ASGIApp:
    """environment: PORTAL_TABLE, PORTAL_URL (its origin), USER_POOL, USER_POOL_CLIENT, DATA_BUCKET."""
    audit.write_to(sys.stdout)
    table = boto3.resource("dynamodb").Table(environment["PORTAL_TABLE"])
    here = urlsplit(environment["PORTAL_URL"])
    # The pool's discovery document lies where the service answers.
    cognito = boto3.client("cognito-idp").meta.endpoint_url
    pool = UserPool(cognito, environment["USER_POOL"], environment["USER_POOL_CLIENT"])
    # Version 4, because nothing else signs the content type of the answer everywhere.
    signing = boto3.client("s3", config=Config(signature_version="s3v4"))
    return create_app(
        EmptyDesk(),
        SignIn(pool, Sessions(table), environment["PORTAL_URL"]),
        [here.netloc],
        Path(portal.__file__).parent / "page",
        SignedImages(signing, environment["DATA_BUCKET"]),
        here.scheme,
    )
