"""`labelloop people`: who was invited comes in, who was removed is out, with every session."""

import boto3
import portal_deployed
import pytest
from typer.testing import CliRunner

from cli import people
from cli.app import app
from portal.server.access import Visitor
from portal.server.sessions import Removed, Sessions


@pytest.fixture
def portal(aws, monkeypatch):
    users = boto3.client("cognito-idp")
    pool = users.create_user_pool(PoolName="p", UsernameAttributes=["email"])["UserPool"]["Id"]
    for group in ("annotators", "leads"):
        users.create_group(GroupName=group, UserPoolId=pool)
    found = people.Portal("https://portal.example", pool, portal_deployed.make_table().name)
    told = {"PortalUrl": found.url, "PortalUsersId": pool, "PortalTableName": found.table}
    monkeypatch.setattr(people, "outputs", lambda stack: told)
    return found


def run(*arguments):
    ended = CliRunner().invoke(app, ["people", *arguments])
    return ended.exit_code, ended.output


def test_who_is_invited_is_listed_with_their_group(portal):
    assert run("invite", "ann@example.com")[0] == 0
    status, said = run("invite", "lea@example.com", "--lead", "--show-password")
    assert status == 0 and "https://portal.example with the password " in said
    status, said = run("list")
    ann, lea = said.splitlines()
    assert ann.startswith("ann@example.com  annotator  force change password  ")
    assert lea.startswith("lea@example.com  lead  ")


def test_who_is_removed_is_out_until_they_are_invited_again(portal):
    run("invite", "ann@example.com")
    (person,) = people.everybody(portal)
    sessions = Sessions(boto3.resource("dynamodb").Table(portal.table))
    session = sessions.begin(Visitor(person.worker, "ann", False))
    assert run("remove", "ann@example.com") == (
        0,
        "ann@example.com is out: 1 sessions ended, and none begins any more.\n",
    )
    assert sessions.find(session) is None
    with pytest.raises(Removed):
        sessions.begin(Visitor(person.worker, "ann", False))
    assert [each.state for each in people.everybody(portal)] == ["removed"]
    assert run("invite", "ann@example.com")[0] == 0
    assert sessions.find(sessions.begin(Visitor(person.worker, "ann", False)))


@pytest.mark.parametrize("email", ["ann", "a@b@c", "a b@example.com", "änn@example.com", "@@", ""])
def test_what_is_no_address_is_refused(portal, email):
    status, said = run("invite", email)
    assert status == 2 and "no e-mail address" in said
    assert people.everybody(portal) == []


def test_nobody_who_was_not_invited_can_be_removed(portal):
    status, said = run("remove", "nobody@example.com")
    assert status == 2 and "Nobody was invited as nobody@example.com" in said


def test_a_stack_whose_people_label_elsewhere_says_so(aws, monkeypatch):
    monkeypatch.setattr(people, "outputs", lambda stack: {})
    status, said = run("list")
    assert status == 2 and "has no portal of its own" in said


def test_shown_passwords_fit_the_pool_s_rules():
    for password in {people._password() for _ in range(100)}:
        assert len(password) >= 12
        assert any(map(str.isupper, password)) and any(map(str.islower, password)) and any(map(str.isdigit, password))
