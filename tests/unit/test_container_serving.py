"""The inference server as SageMaker sees it, with an engine that fails on demand: real processes, real sockets."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import poison_engine
import pytest
from container_fixtures import encoded
from container_process import runs, serving, until
from fake_s3 import DENIED, REFUSED, fake_s3
from PIL import Image

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytestmark = pytest.mark.yolo


def plain(colour=poison_engine.PLAIN, size=(64, 48)) -> bytes:
    return encoded(Image.new("RGB", size, colour), "PNG")


@pytest.fixture(scope="module")
def s3():
    with fake_s3() as store:
        store.objects.update(
            {
                "good image+%20é.png": plain(),
                "kills.png": plain(poison_engine.KILLS_THE_PROCESS),
                "raises.png": plain(poison_engine.RAISES),
                "waits.png": plain(poison_engine.WAITS),
                "empty.jpg": b"",
                "text.jpg": b"not an image at all",
                "cut.jpg": encoded(Image.effect_noise((200, 200), 60), "JPEG")[:2000],
                "tiny.png": plain(size=(8, 8)),
                "large.png": plain() + b"\0" * 200_000,
                ("versioned.png", "v1"): plain(size=(40, 40)),
            }
        )
        yield store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("serving")
    (base / "model").mkdir()
    return base


def settings(s3, folder, **extra):
    return {
        "AWS_ENDPOINT_URL": s3.address,
        "ENGINE": "poison_engine",
        "MODEL_VERSION": "v000001-abcdef01",
        "MAX_IMAGE_BYTES": "100000",
        "WAITING_FILE": str(folder / "waiting"),
        "RELEASE_FILE": str(folder / "release"),
        **extra,
    }


@pytest.fixture(scope="module")
def server(s3, folder):
    with serving(folder, folder / "log", **settings(s3, folder)) as running:
        until(lambda: running.ping() == 200)
        yield running


@pytest.fixture
def gate(folder):
    """Closed: images that wait do so until the test writes `release`."""
    for name in ("waiting", "release"):
        (folder / name).unlink(missing_ok=True)
    yield folder
    (folder / "release").touch()


def lines(answer):
    status, body = answer
    assert status == 200, body
    return [json.loads(line) for line in body.splitlines()]


def test_a_shard_is_answered_line_by_line_and_bad_images_are_rejected(server):
    keys = ["good image+%20é.png", "empty.jpg", "text.jpg", "cut.jpg", "gone.jpg", "tiny.png", "large.png"] * 3
    records = lines(server.shard(*keys))
    assert [record["source-ref"] for record in records] == [f"s3://bucket/{key}" for key in keys]
    reasons = [None, "empty", "not-an-image", "truncated", "missing", "too-small", "too-large"]
    assert [record.get("reason") for record in records] == reasons * 3
    assert {record["model"] for record in records} == {"v000001-abcdef01"}
    assert records[0] == {
        "source-ref": "s3://bucket/good image+%20é.png",
        "status": "ok",
        "width": 64,
        "height": 48,
        "model": "v000001-abcdef01",
        "boxes": [
            {"class": "head", "left": 3.0, "top": 2.0, "width": 3.0, "height": 4.0, "confidence": 0.8},
            {"class": "head", "left": 0.0, "top": 4.0, "width": 64.0, "height": 8.0, "confidence": 0.5124},
        ],
    }


def test_a_version_is_fetched_when_one_is_pinned(server):
    pinned = b'{"source-ref":"s3://bucket/versioned.png","version-id":"v1"}\n'
    assert [record["width"] for record in lines(server.invoke(pinned))] == [40]
    assert lines(server.invoke(pinned.replace(b"v1", b"v2")))[0]["reason"] == "missing"


def test_an_image_body_is_answered_with_one_prediction(server):
    status, body = server.invoke(plain(), "image/png")
    assert (status, json.loads(body)["source-ref"], json.loads(body)["width"]) == (200, "", 64)
    assert json.loads(server.invoke(b"", "image/jpeg")[1])["reason"] == "empty"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"source-ref":"s3://bucket/a.jpg"}\n{"source-ref":5}\n', ["image 2", "source-ref"]),
        (b'{"source-ref":"https://bucket/a.jpg"}\n', ["image 1", "source-ref"]),
        (b'{"source-ref":"s3://bucket/"}\n', ["image 1", "source-ref"]),
        (b'{"source-ref":"s3://b/k","version-id":7}\n', ["image 1", "version-id"]),
        (b'{"source-ref":"s3://bucket/a.jpg"}\n{oops\n', ["line 2"]),
        (b"\n\n", ["no lines"]),
        (b"\xff\xfe", ["UTF-8"]),
    ],
)
def test_a_malformed_request_is_refused_naming_line_and_field(server, body, names):
    status, answer = server.invoke(body)
    assert status == 400
    assert all(name in json.loads(answer)["error"] for name in names)


def test_other_content_types_are_refused(server):
    status, answer = server.invoke(b"{}", "application/x-recordio")
    assert status == 415 and "application/jsonlines" in json.loads(answer)["error"]


def test_ping_answers_while_an_image_is_looked_at_and_requests_wait_their_turn(server, gate):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(server.shard, "waits.png")
        until((gate / "waiting").exists)
        second = pool.submit(server.shard, "good image+%20é.png")
        assert [server.ping() for _ in range(20)] == [200] * 20
        assert not first.done() and not second.done()
        (gate / "release").touch()
        assert lines(first.result())[0]["status"] == lines(second.result())[0]["status"] == "ok"


def test_a_crash_costs_its_own_request_only(server, gate):
    before = server.worker()
    with ThreadPoolExecutor(3) as pool:
        running = pool.submit(server.shard, "waits.png")
        until((gate / "waiting").exists)
        crashing = pool.submit(server.shard, "good image+%20é.png", "kills.png")
        queued = pool.submit(server.shard, "good image+%20é.png")
        (gate / "release").touch()
        assert lines(running.result())[0]["status"] == "ok"
        status, answer = crashing.result()
        assert status == 500 and "worker died" in json.loads(answer)["error"] and "7" in answer
        assert server.ping() == 200
        assert lines(queued.result())[0]["status"] == "ok"
    assert lines(server.shard("good image+%20é.png"))[0]["status"] == "ok"
    assert server.worker() != before and not runs(before)


def test_an_engine_that_raises_is_replaced(server):
    before = server.worker()
    status, answer = server.shard("raises.png")
    assert status == 500 and "device-side assert" in json.loads(answer)["error"]
    assert lines(server.shard("good image+%20é.png"))[0]["status"] == "ok"
    assert server.worker() != before


def test_a_worker_killed_from_outside_is_replaced(server, gate):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(server.shard, "waits.png")
        until((gate / "waiting").exists)
        os.kill(server.worker(), signal.SIGKILL)
        status, answer = running.result()
        assert status == 500 and "SIGKILL" in json.loads(answer)["error"]
    assert lines(server.shard("good image+%20é.png"))[0]["status"] == "ok"


def test_trouble_with_s3_fails_the_request_and_keeps_the_worker(server):
    before = server.worker()
    status, answer = server.shard("good image+%20é.png", "busy.jpg")
    assert status == 500 and "SlowDown" in json.loads(answer)["error"] and "busy.jpg" in answer
    assert lines(server.shard("good image+%20é.png"))[0]["status"] == "ok"
    assert server.worker() == before


@pytest.mark.fault("K04")
@pytest.mark.parametrize("name", ["denied.jpg", "archived.jpg", "locked.jpg"])
def test_an_object_that_s3_does_not_hand_out_costs_itself(server, name):
    status, answer = server.shard("good image+%20é.png", name)
    assert status == 200, answer
    good, refused = lines((status, answer))
    assert good["status"] == "ok" and refused["status"] == "rejected"
    assert refused["reason"].startswith(f"inaccessible: S3 says {REFUSED[name][1]}: refused")


def test_a_role_that_is_denied_everything_rejects_nothing(server):
    for asked in ([DENIED], [DENIED, "locked.jpg"], [DENIED, "archived.jpg", "no such.png"]):
        status, answer = server.shard(*asked)
        assert status == 500 and "AccessDenied" in json.loads(answer)["error"] and DENIED in answer
    assert [line["status"] for line in lines(server.shard("archived.jpg"))] == ["rejected"]


def test_a_request_that_takes_too_long_is_ended(s3, folder, gate):
    limits = settings(s3, folder, INVOCATION_TIMEOUT_SECONDS="1")
    with serving(folder, folder / "deadline.log", **limits) as running:
        until(lambda: running.ping() == 200)
        status, answer = running.shard("waits.png")
        assert status == 500 and "within 1 s" in json.loads(answer)["error"]
        until(lambda: running.shard("good image+%20é.png")[0] == 200)


def shard_without_answer(server):
    with pytest.raises(OSError):
        server.shard("waits.png")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_worker_ends_with_its_server(s3, folder, gate, how):
    with serving(folder, folder / f"{how.name}.log", **settings(s3, folder)) as running:
        until(lambda: running.ping() == 200)
        worker = running.worker()
        if how is signal.SIGKILL:  # in the middle of a job
            request = threading.Thread(target=shard_without_answer, args=(running,))
            request.start()
            until((gate / "waiting").exists)
        assert runs(worker)
        running.process.send_signal(how)
        running.process.wait(15)
        until(lambda: not runs(worker), 10)
        if how is signal.SIGKILL:
            request.join()


def test_a_model_that_does_not_load_ends_the_server_with_a_reason(s3, tmp_path):
    with serving(tmp_path, tmp_path / "log", **settings(s3, tmp_path)) as running:
        assert running.process.wait(30) == 1
        assert "no model in" in running.log.read_text()
