"""The embedded AWS of a demo ends with the demo, however that ends; only --keep leaves it."""

import pytest

from demo import __main__ as demo
from demo import cloud
from demo.errors import DemoFailed
from local import stack


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A stack module that only notes what it is asked."""
    made = []
    monkeypatch.setattr(stack, "STATE_DIR", tmp_path)
    monkeypatch.setattr(cloud, "STATE_DIR", tmp_path / "demo")

    def start(port, state_dir):
        made.append(("start", state_dir.name))
        return stack.Server("http://127.0.0.1:1", 1, state_dir)

    monkeypatch.setattr(stack, "start", start)
    monkeypatch.setattr(stack, "stop", lambda state_dir: made.append(("stop", state_dir.name)))
    return made


def test_it_starts_fresh_and_ends_with_the_demo(calls):
    with cloud.embedded_aws(0, keep=False):
        assert calls == [("stop", "demo"), ("start", "demo")]
    assert calls[2:] == [("stop", "demo")]


@pytest.mark.parametrize("how", [KeyboardInterrupt, DemoFailed, SystemExit])
@pytest.mark.parametrize("keep", [False, True])
def test_it_ends_when_the_demo_breaks_off(calls, how, keep):
    with pytest.raises(how), cloud.embedded_aws(0, keep):
        raise how
    assert calls[-1][0] == "stop"


def test_kept_it_stays_where_the_other_commands_look(calls, tmp_path):
    with cloud.embedded_aws(0, keep=True):
        pass
    assert calls == [("start", tmp_path.name)]


@pytest.mark.fault("I11")
def test_two_demos_do_not_meet(calls):
    with cloud.embedded_aws(0, keep=False):
        before = list(calls)
        with pytest.raises(DemoFailed, match="Another make demo is running"), cloud.embedded_aws(0, keep=False):
            pass
        assert calls == before


@pytest.mark.parametrize(
    ("said", "hint"),
    [("runs already at http://127.0.0.1:4566", "python -m local down"), ("Port 4566 of 127.0.0.1 is taken", "taken")],
)
def test_a_start_that_fails_is_told_with_what_to_do(calls, monkeypatch, said, hint):
    def start(port, state_dir):
        raise RuntimeError(said)

    monkeypatch.setattr(stack, "start", start)
    with pytest.raises(DemoFailed, match=hint), cloud.embedded_aws(4566, keep=True):
        pass


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "have ended"),
        (DemoFailed("no [bold]luck"), 1, "The demo failed: no [bold]luck"),
        (stack.DeployFailed("sam says no"), 1, "sam says no"),
    ],
)
def test_every_end_has_its_status_and_sentence(error, status, said, monkeypatch, capsys):
    def run(*_):
        raise error

    monkeypatch.setattr("sys.argv", ["demo"])
    monkeypatch.setattr(demo, "run", run)
    assert demo.main() == status
    assert said in capsys.readouterr().out
