"""Objects that S3 has and does not hand out: each costs itself, and a role without rights rejects nothing."""

import json

import boto3
import people
import pytest
from batch_rounds import refs, run_round
from botocore.exceptions import ClientError, FlexibleChecksumError
from handling import PREFIX, execution, handle, mark, picture, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from made_up_stack import BUCKET
from refusing_s3 import refuse

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]
# Codes and words as S3 gives them.
OF_THE_OBJECT = [
    ("InvalidObjectState", "The operation is not valid for the object's storage class", 403),
    ("InvalidRequest", "The object was stored using a form of Server Side Encryption.", 400),
]
DENIALS = [
    ("AccessDenied", "Access Denied", 403),
    (
        "AccessDenied",
        "User: arn:aws:iam::1:role/r is not authorized to perform: kms:Decrypt on arn:aws:kms:us-east-1:1:key/k",
        403,
    ),
    ("KMS.DisabledException", "arn:aws:kms:us-east-1:123456789012:key/k is disabled.", 400),
    ("KMS.NotFoundException", "Invalid arn us-east-1", 400),
    ("KMS.KMSInvalidStateException", "arn:aws:kms:us-east-1:1:key/k is pending deletion.", 400),
    ("AllAccessDisabled", "All access to this object has been disabled", 403),
]
PASSING = [
    ("SlowDown", "Please reduce your request rate.", 503),
    ("InternalError", "We encountered an internal error. Please try again.", 500),
    ("ServiceUnavailable", "Please reduce your request rate.", 503),
    ("KMS.ThrottlingException", "You have exceeded the rate at which you may call KMS.", 400),
]


def key(number: int) -> str:
    return f"{PREFIX}{number:02d} ü+%20.png"


def inspected(count: int, refused: list[int], refusal: tuple[str, str, int]) -> dict[str, str]:
    """key -> reason and detail of what a batch of so many images has rejected, or what became of it otherwise."""
    upload(count)
    trigger = mark()
    refuse([key(number) for number in refused], *refusal)
    batch = outcome = ""
    try:
        batch = registered(trigger)["batch"]["id"]
    except Exception as error:
        outcome = f"the shard failed: {type(error).__name__}: {error}"
    if outcome:
        return {"": outcome}
    found = {image.item.key: image.inspection for image in batches.images(batch)}
    assert set(found) == {key(number) for number in range(count)} and all(found.values())
    return {name: f"{each.reason}: {each.detail}" for name, each in found.items() if each.status == "rejected"}


@pytest.mark.fault("K04")
@pytest.mark.parametrize("refusal", [*OF_THE_OBJECT, *DENIALS], ids=lambda refusal: refusal[0])
def test_an_object_that_is_not_handed_out_costs_itself(change_setting, refusal) -> None:
    change_setting("SHARD_SIZE", "128")
    told = inspected(5, [2], refusal)
    assert list(told) == [key(2)], told
    reason = told[key(2)]
    assert reason.startswith(f"inaccessible: S3 says {refusal[0]}: {refusal[1]}") and "put the marker again" in reason


@pytest.mark.fault("K04")
@pytest.mark.parametrize("refusal", [*OF_THE_OBJECT, *DENIALS], ids=lambda refusal: refusal[0])
def test_a_shard_of_such_objects_costs_itself_where_others_can_be_read(change_setting, refusal) -> None:
    """As where a policy denies a folder."""
    change_setting("SHARD_SIZE", "2")
    assert list(inspected(6, [2, 3], refusal)) == [key(2), key(3)]


@pytest.mark.parametrize("refusal", OF_THE_OBJECT, ids=lambda refusal: refusal[0])
def test_a_batch_that_is_archived_altogether_is_rejected_altogether(refusal) -> None:
    assert list(inspected(3, [0, 1, 2], refusal)) == [key(0), key(1), key(2)]


@pytest.mark.parametrize("refusal", DENIALS, ids=lambda refusal: refusal[0])
def test_where_everything_is_denied_nothing_is_rejected(refusal) -> None:
    """It may be the function that lost its rights, or the key of the whole bucket that was disabled."""
    (outcome,) = inspected(3, [0, 1, 2], refusal).values()
    assert outcome.startswith("the shard failed") and refusal[0] in outcome and refusal[1] in outcome


@pytest.mark.parametrize("refusal", PASSING, ids=lambda refusal: refusal[0])
def test_what_may_pass_rejects_nothing(refusal) -> None:
    (outcome,) = inspected(3, [1], refusal).values()
    assert outcome.startswith("the shard failed") and "TransientError" in outcome


@pytest.mark.fault("K04")
def test_an_archived_object_is_rejected_with_what_to_do_and_labelled_when_that_is_done(change_setting) -> None:
    change_setting("SHARD_SIZE", "128")
    upload(3)
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key=key(1), Body=picture(99), StorageClass="GLACIER")
    told = {}
    try:
        batch = registered()["batch"]["id"]
        handle("begin_round", batch_id=batch, round=1)
        handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
        told = storage.read_json(f"{Files(batch).root}/summary.json")["rejected_reasons"]
    except ClientError as error:
        told["the batch failed"] = str(error)
    assert list(told) == [key(1)] and "aws s3 cp" in told[key(1)], told
    assert told[key(1)] in storage.read(f"{Files(batch).root}/report.html").decode().replace("&#x27;", "'")
    s3.put_object(Bucket=BUCKET, Key=key(1), Body=picture(99))  # restored and copied over itself
    again = registered(mark(), "two")
    assert again["batch"]["objects"] == 1 and [image.readable for image in batches.images(again["batch"]["id"])] == [
        True
    ]


def checksums(monkeypatch, failing: int) -> None:
    """The first deliveries of each object have other bytes than their checksum says."""
    from labelloop.store import aws

    real, deliveries = aws.client("s3").get_object, {}

    def get_object(**request):
        answer = real(**request)
        deliveries[request["Key"]] = deliveries.get(request["Key"], 0) + 1
        if request["Key"].endswith("01 ü+%20.png") and deliveries[request["Key"]] <= failing:

            class Body:
                def read(self):
                    raise FlexibleChecksumError(error_msg="Expected checksum AAAA did not match calculated checksum: B")

            answer["Body"] = Body()
        return answer

    monkeypatch.setattr(aws.client("s3"), "get_object", get_object)


@pytest.mark.fault("K04")
@pytest.mark.parametrize(("failing", "rejected"), [(1, []), (2, []), (99, [1])])
def test_bytes_that_do_not_have_their_checksum_are_fetched_again_and_cost_one_image_at_last(
    change_setting, monkeypatch, failing, rejected
) -> None:
    change_setting("SHARD_SIZE", "128")
    upload(3)
    trigger, told = mark(), {}
    checksums(monkeypatch, failing)
    try:
        batch = registered(trigger)["batch"]["id"]
        told = {image.item.key: image.inspection for image in batches.images(batch) if not image.readable}
    except FlexibleChecksumError as error:
        told["the shard failed"] = str(error)
    assert list(told) == [key(number) for number in rejected]


@pytest.mark.fault("K04")
@pytest.mark.parametrize("code", ["AccessDenied", "ObjectNotInActiveTierError"])
def test_a_changed_image_whose_registered_bytes_are_refused_costs_itself(code) -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    for number in (0, 2):
        storage.write(key(number), picture(200 + number))
    refuse([key(2)], code)
    told = ""
    try:
        handle("begin_round", batch_id=batch, round=1)
    except ClientError as error:
        told = str(error)
    assert not told
    (lost,) = [image.inspection for image in batches.images(batch) if not image.readable]
    assert (lost.key, lost.reason) == (key(2), "inaccessible") and code in lost.detail
    assert sum("canonical/" in reference for reference in refs(batch)) == 1


def test_changed_images_that_are_all_denied_stop_the_round_where_nothing_can_be_read() -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    storage.write(key(0), picture(200))
    refuse([key(number) for number in range(3)])
    with pytest.raises(Exception, match="AccessDenied"):
        handle("begin_round", batch_id=batch, round=1)
    assert all(image.readable for image in batches.images(batch))


@pytest.mark.fault("K04")
@pytest.mark.parametrize(
    "refusal",
    [("403", "Forbidden", 403), ("400", "Bad Request", 400), ("405", "Method Not Allowed", 405)],
    ids=lambda refusal: refusal[0],
)
def test_a_gold_image_that_cannot_be_looked_at_is_no_honeypot_and_costs_no_batch(change_setting, refusal) -> None:
    for name, value in {"SAMPLE_RATE": "1", "HUMAN_BUDGET": "9", "HONEYPOT_RATE": "0.5", "JUDGE_IMAGES": "100"}.items():
        change_setting(name, value)
    upload(4)
    run_round(registered()["batch"]["id"], 1)
    for number in range(3):
        storage.write(f"incoming/two/{number:02d}.png", picture(110 + number))
    batch = registered(mark(prefix="incoming/two/"), "two")["batch"]["id"]
    refuse([key(0)], *refusal)  # as S3 answers HEAD
    handle("begin_round", batch_id=batch, round=1)
    told = ""
    try:
        handle("judge_batch", batch_id=batch, round=1)
    except ClientError as error:
        told = str(error)
    assert not told
    pots = {line["source-ref"] for line in storage.read_lines(Files(batch).honeypots(1))}
    assert pots and storage.uri(key(0)) not in pots


@pytest.mark.fault("K04")
@pytest.mark.parametrize(
    "refusal",
    [
        ("MethodNotAllowed", "The specified method is not allowed against this resource.", 405),
        ("InvalidArgument", "Invalid version id specified", 400),
        ("NoSuchVersion", "The specified version does not exist.", 404),
    ],
    ids=lambda refusal: refusal[0],
)
def test_a_pinned_version_that_is_no_more_costs_its_own_image(change_setting, refusal) -> None:
    """A read of a version that is a delete marker is answered with 405."""
    told = inspected(3, [1], refusal)
    assert set(told) == {key(1)} and told[key(1)].startswith("missing: ")


@pytest.mark.fault("K04")
@pytest.mark.parametrize("refusal", [OF_THE_OBJECT[0], DENIALS[0]], ids=lambda refusal: refusal[0])
def test_a_label_manifest_that_is_not_handed_out_is_told_before_anybody_is_asked(refusal) -> None:
    upload(2)
    storage.write(f"{PREFIX}labels.manifest", json.dumps({"source-ref": key(0), **people.boxes()}).encode())
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    refuse([f"{PREFIX}labels.manifest"], *refusal)
    with pytest.raises(Exception, match=refusal[0]) as raised:
        handle("import_labels", batch_id=state["batch"]["id"], labels_uri=state["batch"]["labels_uri"])
    assert type(raised.value).__name__ == "InvalidInputError"
    assert "labels.manifest" in str(raised.value) and "Nobody was asked" in str(raised.value)


@pytest.mark.fault("K02")
@pytest.mark.parametrize("name", ["a//b.png", "./a.png", "a/../b.png", "..", "a/.", "line\nfeed.png", "x\x7f.png"])
def test_an_image_whose_name_not_everybody_can_carry_is_shown_under_a_name_of_ours(name) -> None:
    """Browsers resolve dots, line readers cut at line ends; the original is named beside it."""
    storage.write(f"{PREFIX}{name}", picture(50))
    storage.write(f"{PREFIX}plain.png", picture(60))
    batch = registered()["batch"]["id"]
    odd, plain = sorted(batches.images(batch), key=lambda image: image.item.key.endswith("plain.png"))
    assert odd.readable and odd.inspection.original_ref == storage.uri(f"{PREFIX}{name}")
    shown = storage.own_key(odd.source_ref)
    assert shown.startswith(f"canonical/{batch}/") and storage.read(shown) == picture(50)
    assert plain.source_ref == storage.uri(f"{PREFIX}plain.png") and plain.inspection.original_ref is None
    assert run_round(batch, 1)["human"] == 2


def test_a_restart_after_the_rights_are_back_inspects_what_was_denied() -> None:
    upload(3)
    trigger = mark()
    refused = [key(number) for number in range(3)]
    refuse(refused)
    state = handle("register_batch", event=trigger, execution=execution("one"))
    items = storage.read_lines(state["batch"]["inspect_key"])
    for item in items:
        with pytest.raises(Exception, match="AccessDenied"):
            handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    refused.clear()
    for item in items:
        handle("inspect_images", batch_id=state["batch"]["id"], shard=item["shard"], objects_uri=item["uri"])
    assert all(image.readable for image in batches.images(state["batch"]["id"]))
