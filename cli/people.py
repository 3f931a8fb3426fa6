"""The people of the labelling portal: who may come in, and who no longer may."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from labelloop.store import aws

from cli.errors import Refused
from cli.stack import outputs
from portal.server.cognito import ANNOTATORS, LEADS
from portal.server.sessions import Sessions


@dataclass(frozen=True)
class Portal:
    url: str
    pool: str
    table: str


@dataclass(frozen=True)
class Person:
    """worker: as answers name them. state: of the user pool, or `removed`."""

    email: str
    worker: str
    state: str
    lead: bool


def portal_of(stack: str) -> Portal:
    """Raises Refused for a stack whose people label elsewhere."""
    found = outputs(stack)
    try:
        return Portal(found["PortalUrl"], found["PortalUsersId"], found["PortalTableName"])
    except KeyError:
        raise Refused(
            f"The stack {stack} has no portal of its own: people label, and are invited, where LabelingBackend says."
        ) from None


def invite(portal: Portal, email: str, lead: bool, show_password: bool) -> str | None:
    """Lets somebody in, or in again. Cognito writes to them, unless the password is to be shown: then it is returned.

    Raises Refused for what is no e-mail address.
    """
    if email.count("@") != 1 or any(each.isspace() for each in email) or not email.isascii():
        raise Refused(f"{email!r} is no e-mail address.")
    users = aws.client("cognito-idp")
    password = _password() if show_password else None
    try:
        users.admin_create_user(
            UserPoolId=portal.pool,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            DesiredDeliveryMediums=["EMAIL"],
            **({"TemporaryPassword": password, "MessageAction": "SUPPRESS"} if password else {}),
        )
    except users.exceptions.UsernameExistsException:
        users.admin_enable_user(UserPoolId=portal.pool, Username=email)
        if password:
            users.admin_set_user_password(UserPoolId=portal.pool, Username=email, Password=password, Permanent=False)
    _sessions(portal).admit(_worker(portal, email))
    users.admin_add_user_to_group(UserPoolId=portal.pool, Username=email, GroupName=ANNOTATORS)
    if lead:
        users.admin_add_user_to_group(UserPoolId=portal.pool, Username=email, GroupName=LEADS)
    return password


def everybody(portal: Portal) -> list[Person]:
    users = aws.client("cognito-idp")
    leads = {user["Username"] for user in _users(users, "list_users_in_group", portal.pool, GroupName=LEADS)}
    return sorted(
        (_person(user, user["Username"] in leads) for user in _users(users, "list_users", portal.pool)),
        key=lambda person: person.email,
    )


def remove(portal: Portal, email: str) -> int:
    """Nobody comes in by this name any more, and who is in is out; how many sessions ended. Raises Refused."""
    users = aws.client("cognito-idp")
    worker = _worker(portal, email)
    users.admin_disable_user(UserPoolId=portal.pool, Username=email)
    users.admin_user_global_sign_out(UserPoolId=portal.pool, Username=email)
    return _sessions(portal).remove(worker)


def _worker(portal: Portal, email: str) -> str:
    users = aws.client("cognito-idp")
    try:
        found = users.admin_get_user(UserPoolId=portal.pool, Username=email)
    except ClientError as error:
        if aws.error_code(error) != "UserNotFoundException":
            raise
        raise Refused(f"Nobody was invited as {email}: `labelloop people list` shows who was.") from None
    return _attributes(found["UserAttributes"])["sub"]


def _sessions(portal: Portal) -> Sessions:
    return Sessions(aws.table(portal.table))


def _users(users: Any, operation: str, pool: str, **asked: Any) -> Iterator[dict[str, Any]]:
    for page in users.get_paginator(operation).paginate(UserPoolId=pool, **asked):
        yield from page["Users"]


def _person(user: dict[str, Any], lead: bool) -> Person:
    known = _attributes(user["Attributes"])
    state = user["UserStatus"].lower().replace("_", " ") if user["Enabled"] else "removed"
    return Person(known.get("email", user["Username"]), known["sub"], state, lead)


def _attributes(listed: list[dict[str, str]]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in listed}


def _password() -> str:
    """Of all kinds of characters that the pool wants."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    return "".join(secrets.choice(kind) for kind in kinds) + secrets.token_urlsafe(12)
