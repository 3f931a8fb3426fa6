"""People look at a sample of the accepted labels before these are published: from the judgement to the report."""

import io
import json

import people
import pytest
from batch_rounds import asked_in, collect, merge, refs
from handling import MODEL, crown, handle, predict, registered, upload
from labelloop.batch import auditing, batches
from labelloop.batch.auditing import CONTRADICTED, Audit
from labelloop.contracts.layout import Files
from labelloop.contracts.records import Box, Decision
from labelloop.people import jobs
from labelloop.store import datasets, ledger, storage
from labelloop.trust.audit import Finding
from labelloop.trust.policies import Rule

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]
SEEN = Box("head", 1, 2, 30, 20)  # what handling.predict proposes
FAR_OFF = Box("head", 1, 2, 30, 10)  # it overlaps that by half


@pytest.fixture(autouse=True)
def target(change_setting, fake_service):
    """A promise of 0.8, and 4 labels of each batch that are audited."""
    settings = {"ACCEPT_POLICY": "target-quality", "SAMPLE_RATE": "0.2", "SAMPLE_MINIMUM": "1", "HUMAN_BUDGET": "2"}
    for name, value in {**settings, "AUDIT_MINIMUM": "4", "AUDIT_RATE": "0.02"}.items():
        change_setting(name, value)
    return fake_service("sns")


def judged(images: int = 12, number: int = 1, confidence: float = 0.9) -> str:
    upload(images)
    batch = str(registered()["batch"]["id"])
    crown(scored=[[0.4, 0.3], [0.8, 0.8], [0.9, 0.86], [0.95, 0.9]])
    predict(batch, number, dict.fromkeys(refs(batch), confidence))
    return begin(batch, number)


def begin(batch: str, number: int) -> str:
    handle("begin_round", batch_id=batch, round=number)
    handle("judge_batch", batch_id=batch, round=number)
    return batch


def audited(batch: str, number: int = 1) -> list[str]:
    return [each.source_ref for each in batches.round_decisions(batch, number) if each.audit]


def answer(batch: str, looked: dict[str, Box | None], number: int = 1) -> dict:
    """People leave an audited label as it is, or draw this box, None for no answer; about all else they answer."""

    def said(line):
        box = looked.get(line["source-ref"], SEEN)
        return people.boxes([box]) if box else None

    people.answer_round(batch, number, said)
    return merge(batch, number)


def finding(batch: str, number: int = 1) -> dict:
    (found,) = storage.read_json(Files(batch).audit(number))["findings"]
    return dict(found)


def lines_by_ref(batch: str, number: int = 1) -> dict[str, dict]:
    return {line["source-ref"]: line for line in storage.read_lines(Files(batch).round_annotations(number))}


def report(batch: str) -> dict:
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    return storage.read_json(f"batches/{batch}/summary.json")


# --- the draw


def test_a_sample_of_the_accepted_labels_goes_to_people_with_what_the_model_saw() -> None:
    batch = judged()
    decisions = {each.source_ref: each for each in batches.round_decisions(batch, 1)}
    assert len(audited(batch)) == 4 and all(decisions[ref].decision == "auto" for ref in audited(batch))
    asked = {line["source-ref"]: line for line in asked_in(batch, 1)}
    assert set(audited(batch)) < set(asked) and len(asked) == len(set(asked))
    assert all(asked[ref]["proposed-boxes"]["annotations"] for ref in audited(batch))
    assert {job.kind for job in jobs.of_round(Files(batch), 1)} == {"adjust"}


def test_no_score_moves_the_draw_and_judging_again_draws_the_same() -> None:
    batch = judged()
    first = audited(batch)
    assert audited(begin(batch, 1)) == first
    decided = batches.round_decisions(batch, 1)
    images = {image.source_ref: image for image in batches.images(batch)}
    plain = [Decision(each.source_ref, each.decision, 1.0, (), 1.0, "p", 1) for each in reversed(decided)]
    drawn = auditing.draw(Files(batch), 1, plain, images)
    assert sorted(each.source_ref for each in drawn if each.audit) == sorted(first)


def test_nothing_is_drawn_where_nobody_wants_an_audit_and_the_decisions_are_as_ever(change_setting) -> None:
    change_setting("AUDIT_MINIMUM", "0")
    change_setting("AUDIT_RATE", "0")
    batch = judged()
    assert audited(batch) == [] and b"audit" not in storage.read(Files(batch).decisions(1))
    answer(batch, {})
    assert not storage.exists(Files(batch).audit(1))


def test_a_later_round_draws_what_the_batch_still_lacks_and_its_share(change_setting) -> None:
    batch = judged(12)
    files = Files(batch)
    storage.write_json(files.audit(1), {"round": 1, "model": "older", "drawn": 3, "findings": []})
    images = {image.source_ref: image for image in batches.images(batch)}
    decided = [Decision(ref, "auto", 0.9, (), 1.0, "p", 2) for ref in images]
    assert sum(each.audit for each in auditing.draw(files, 2, decided, images)) == 1
    change_setting("AUDIT_RATE", "0.5")
    assert sum(each.audit for each in auditing.draw(files, 2, decided, images)) == 6


def test_verify_score_has_audits_verified_and_what_is_rejected_adjusted_in_the_same_round(change_setting) -> None:
    change_setting("VERIFY_SCORE", "0.5")
    batch = judged()
    (job,) = jobs.of_round(Files(batch), 1)
    rejected, unanswered, *confirmed = audited(batch)

    def said(line):
        return people.verdict("reject" if line["source-ref"] in (rejected, unanswered) else "accept")

    people.answer_job(batch, 1, job, said)
    assert handle("collect_labels", batch_id=batch, round=1, job=1)["more"]
    _, adjusting = jobs.of_round(Files(batch), 1)
    people.answer_job(
        batch, 1, adjusting, lambda line: people.boxes([FAR_OFF]) if line["source-ref"] == rejected else None
    )
    merge(batch, 1)
    lines = lines_by_ref(batch)
    assert lines[rejected]["boxes-metadata"]["human-annotated"] == "yes"
    assert unanswered not in lines, "people turned it down"
    for ref in confirmed:
        assert lines[ref]["boxes-metadata"]["human-annotated"] == "no"
        assert lines[ref]["provenance"]["audit"] == {
            "verdict": "confirmed",
            "job": job.name,
            "job-kind": "verify",
            "workers": 1,
            "agreement": 1.0,
        }


# --- what becomes of the labels


def test_what_people_leave_stays_the_machines_and_what_they_correct_is_theirs_and_trains() -> None:
    batch = judged()
    corrected, unanswered, *left = audited(batch)
    counts = answer(batch, {corrected: FAR_OFF, unanswered: None})
    lines = lines_by_ref(batch)
    (job,) = jobs.of_round(Files(batch), 1)
    human = lines[corrected]
    assert human["boxes-metadata"]["human-annotated"] == "yes" and human["boxes"]["annotations"][0]["height"] == 10
    assert human["provenance"]["role"] == "train" and human["provenance"]["audit"] == {"verdict": "corrected"}
    for ref in left:
        assert lines[ref]["boxes-metadata"]["human-annotated"] == "no" and "role" not in lines[ref]["provenance"]
        assert lines[ref]["provenance"]["audit"]["job"] == job.name
        assert lines[ref]["provenance"]["audit"]["verdict"] == "confirmed"
    assert "audit" not in lines[unanswered]["provenance"]
    assert lines[unanswered]["boxes-metadata"]["human-annotated"] == "no"
    decided = batches.round_decisions(batch, 1)
    assert counts["auto"] == sum(each.decision == "auto" for each in decided) - 1
    assert sum(counts[name] for name in ("auto", "human", "rejected", "deferred")) == 12
    roles = {
        json.loads(line)["source-ref"] for line in datasets.current().lines if '"role"' in line and "audit" in line
    }
    assert roles == {corrected}


def test_merging_again_publishes_the_same_whatever_is_said_meanwhile() -> None:
    batch = judged()
    answer(batch, {})
    before = storage.read(Files(batch).round_annotations(1)), finding(batch)
    people.answer_round(batch, 1, lambda line: people.boxes([FAR_OFF]))
    merge(batch, 1)
    assert (storage.read(Files(batch).round_annotations(1)), finding(batch)) == before


def test_copies_of_an_audited_image_follow_it_and_are_not_asked_about() -> None:
    upload(12)
    for number in range(12):
        storage.write(f"incoming/week 1/copy {number:02d}.png", storage.read(refs_keys()[number]))
    batch = str(registered()["batch"]["id"])
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    begin(batch, 1)
    assert len(asked_in(batch, 1)) == len({line["source-ref"] for line in asked_in(batch, 1)})
    answer(batch, dict.fromkeys(audited(batch)[:1], FAR_OFF))
    lines = lines_by_ref(batch)
    human = [line for line in lines.values() if line["boxes"]["annotations"][0]["height"] == 10]
    assert [line["boxes-metadata"]["human-annotated"] for line in human] == ["yes", "yes"]


def refs_keys() -> list[str]:
    return sorted(key for key in storage.keys("incoming/week 1/") if key.endswith(".png") and "copy" not in key)


# --- what it says


def test_the_finding_joins_judge_images_and_audited_labels() -> None:
    batch = judged()
    corrected, *_ = audited(batch)
    answer(batch, {corrected: FAR_OFF})
    found = finding(batch)
    accepted = sum(each.decision == "auto" for each in batches.round_decisions(batch, 1))
    assert (found["accepted"], found["audited"], found["untouched"], found["judged"]) == (accepted, 4, 3, 3)
    expected = (0.8 + 0.86 + 0.9) / 3
    assert found["mean"] == pytest.approx((3 * expected + 0.5) / 4) and found["target"] == 0.8
    (row,) = report(batch)["audit"]
    assert row["round"] == 1 and row["mean_iou"] == found["mean"]
    assert row["sentence"].startswith("promised mean quality 0.80, audited ")
    assert "from 4 accepted and 3 judge images" in row["sentence"]
    assert storage.read_json(f"batches/{batch}/summary.json")["rounds"][0]["audited"] == 4
    assert row["sentence"] in storage.read(f"batches/{batch}/report.html").decode()


def test_a_contradicted_round_accepts_nothing_people_are_told_and_the_model_is_not_trusted_again(
    change_setting, target
) -> None:
    change_setting("AUDIT_MINIMUM", "20")
    batch = judged(14)
    accepted = {each.source_ref for each in batches.round_decisions(batch, 1) if each.decision == "auto"}
    left, *corrected = audited(batch)
    assert {left, *corrected} == accepted, "the batch has fewer than that"
    counts = answer(batch, dict.fromkeys(corrected, FAR_OFF))
    assert finding(batch)["contradicted"]
    assert counts["auto"] == 0 and counts["another_round"]
    lines = lines_by_ref(batch)
    assert left not in lines and set(corrected) <= set(lines)
    assert batches.outcomes(batch, batches.images(batch), 1)[left] == "deferred"
    (told,) = [each for each in target.requests_of("publish") if each["Subject"] == "Accepted labels miss the target"]
    assert "contradicted" in told["Message"] and MODEL in told["Message"] and batch in told["Message"]
    handle("merge_annotations", batch_id=batch, round=1)
    assert len([each for each in target.requests_of("publish") if each["Subject"] == told["Subject"]]) == 1

    begin(batch, 2)
    (again,) = [each for each in batches.round_decisions(batch, 2) if each.source_ref == left]
    assert again.decision == "human" and CONTRADICTED in again.reasons
    answer(batch, {}, number=2)
    summary = report(batch)
    assert (summary["auto"], summary["deferred"]) == (0, 0)
    assert "contradicted: nothing of this round was accepted" in summary["audit"][0]["sentence"]
    assert [row["contradicted"] for row in summary["rounds"]] == [True, False]


def test_only_the_model_that_was_contradicted_loses_its_say() -> None:
    files, rule = Files("week-1-0"), Rule(0.5, "p", 0.8)
    bad = Finding(9, 9, 0, 9, 0.5, 0.4, 0.6, 0.6, 0.8)
    found = auditing._to_json(Audit(1, "m1", 9, {"p": bad}))
    storage.write_json(files.audit(1), found)
    assert auditing.standing(files, 2, "m1", rule) == (Rule(None, "p", 0.8), True)
    assert auditing.standing(files, 2, "m2", rule) == (rule, False)
    assert auditing.standing(files, 1, "m1", rule) == (rule, False)
    assert auditing.standing(files, 2, "", None) == (None, False)


def test_a_policy_that_promises_nothing_is_audited_and_not_contradicted(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    change_setting("AUDIT_MINIMUM", "20")
    batch = judged(14)
    counts = answer(batch, dict.fromkeys(audited(batch), FAR_OFF))
    assert finding(batch)["target"] is None and finding(batch)["upper"] == pytest.approx(0.5)
    assert counts["human"] == 14, "all of them were corrected"
    assert report(batch)["audit"][0]["sentence"].startswith("audited 0.50 [0.50, 0.50]")


def test_a_round_whose_audit_nobody_answered_says_so() -> None:
    batch = judged()
    answer(batch, dict.fromkeys(audited(batch)))
    assert finding(batch)["mean"] is None and not finding(batch)["contradicted"]
    assert "audited by nobody" in report(batch)["audit"][0]["sentence"]
    assert set(audited(batch)) <= set(lines_by_ref(batch))


def test_what_an_own_function_accepts_is_audited_and_contradicted_by_the_target_of_the_policy_beside_it(
    change_setting, fake_service
) -> None:
    def accept(**request):
        event = json.loads(request["Payload"])
        answers = [{"source-ref": image["source-ref"], "answer": "accept"} for image in event["images"]]
        return {"Payload": io.BytesIO(json.dumps({"version": 1, "answers": answers}).encode())}

    service = fake_service("lambda", invoke=accept)
    change_setting("JUDGE_FUNCTION_ARN", "arn:aws:lambda:us-east-1:123456789012:function:mine")
    change_setting("AUDIT_MINIMUM", "10")
    batch = judged(20, confidence=0.3)
    accepted = [each for each in batches.round_decisions(batch, 1) if each.decision == "auto"]
    assert len(accepted) > 10 == len(audited(batch))
    answer(batch, dict.fromkeys(audited(batch), FAR_OFF))
    found = finding(batch)
    assert found["policy"].startswith("own-judge/mine, target-quality/0.8@") and found["judged"] == 0
    assert found["contradicted"] and found["mean"] == pytest.approx(0.5)
    begin(batch, 2)
    assert {each.decision for each in batches.round_decisions(batch, 2)} <= {"human", "deferred"}
    assert len(service.requests_of("invoke")) == 1, "it is not asked about this model again"
    (row,) = [each for each in report(batch)["audit"] if each["policy"].startswith("own-judge/")]
    assert row["contradicted"] and row["auto_labels"] == 0


def test_collecting_again_keeps_the_audit(change_setting) -> None:
    batch = judged()
    people.answer_round(batch, 1, lambda line: people.boxes([SEEN]))
    collect(batch, 1)
    first = merge(batch, 1)
    assert merge(batch, 1) == first
