"""The manifest lines a round adds: labels of people and accepted ones of the machine, with where each came from."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

from labelloop import tasks
from labelloop.batch import auditing, batches, copies, pinned_bytes, roles, rounds
from labelloop.batch.batches import Image
from labelloop.contracts import origins
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Decision
from labelloop.contracts.settings import settings
from labelloop.people import collecting, jobs
from labelloop.people.collected import HumanLabel, collect
from labelloop.store import immutable, ledger, storage
from labelloop.store.observability import count, logger
from labelloop.trust import judgement


def lines(files: Files, number: int, everything: list[Image]) -> list[str]:
    """The lines in source-ref order. An image that was asked about and not answered stays open, and so does one whose
    label was drawn on an image of another size, or whose accepted prediction is gone; and what the machine labelled
    where people's look at a sample of it contradicts the promise. An audited label that people left as it is stays the
    machine's, and so does one that they were asked about and did not answer.
    """
    by_ref = {image.source_ref: image for image in everything}
    decided = {decision.source_ref: decision for decision in batches.round_decisions(files.batch_id, number)}
    asked = {ref for ref, decision in decided.items() if copies.asks_people(decision)}
    moved = _changed_since(files, number, [by_ref[ref] for ref in decided])
    said, turned_down = _answers(files, number, len(asked), everything)
    moved |= {ref for ref in asked & said.keys() if not _fits(said[ref], by_ref[ref])}
    answers = {ref: answer for ref, answer in said.items() if ref in asked - moved}
    started = ledger.batch(files.batch_id)["started"]
    pinned = immutable.find_json(files.round(number)) or {"model": ""}
    label_rule = rounds.label_rule(pinned)
    predictions = batches.seen(files.batch_id, pinned["model"], number, everything).usable
    accepted = _accepted(decided.values(), moved | turned_down, predictions)
    audit = auditing.settle(files, number, pinned, list(accepted.values()), answers, predictions)
    looked = accepted.keys() & answers.keys()
    left = {ref for ref in looked if auditing.is_left(answers[ref], predictions[ref], label_rule)}
    contents = {_sha256(by_ref[ref]) for ref in answers.keys() - left}
    role_of = roles.fix(contents, _may_judge(number, contents, everything))
    made = []
    for ref, decision in decided.items():
        provenance = {**_provenance(files, number, by_ref[ref], decision), "model": pinned["model"]}
        if ref in answers.keys() - left:
            how = {
                "role": role_of[_sha256(by_ref[ref])],
                **_how(answers[ref]),
                **_audited(decision, auditing.CORRECTED),
            }
            label = _human(answers[ref], by_ref[ref], started, {**provenance, **how})
        elif ref in accepted and not audit.refuses(decision.policy):
            job = f"{files.batch_id}-r{number}"
            seen = _audited(decision, auditing.CONFIRMED, answers[ref]) if ref in left else {}
            marks = judgement.machine_label(predictions[ref], label_rule)
            told = {**provenance, **seen}
            label = Annotation(*_place(by_ref[ref]), marks, False, started, job, told, task=predictions[ref].task)
        else:
            continue
        made.append(label)
    made += _copied(files, number, by_ref, [each for each in decided.values() if each.source_ref not in moved], made)
    made.sort(key=lambda annotation: annotation.source_ref)
    return [annotation.to_line(settings().label_names) for annotation in made]


def _accepted(
    decided: Iterable[Decision], open_again: Container[str], predictions: Mapping[str, Prediction]
) -> dict[str, Decision]:
    """source-ref -> decision of the labels that the machine gave to this very image, in their order, without those that
    are open again. One whose prediction is gone stays open, and a later round asks the model again.
    """
    auto = [each for each in decided if each.decision == "auto" and not copies.is_copy(each)]
    auto = [each for each in auto if each.source_ref not in open_again]
    lost = [each.source_ref for each in auto if each.source_ref not in predictions]
    if lost:
        count("PredictionsMissing", len(lost))
        logger.warning("predictions that were accepted are gone or unreadable", images=len(lost), first=lost[0])
    return {each.source_ref: each for each in auto if each.source_ref in predictions}


def _audited(decision: Decision, verdict: str, answer: HumanLabel | None = None) -> dict[str, Any]:
    """What the provenance of a label says of people's look at it before it was published, where there was one. Of a
    label that stayed the machine's also in which job, and by how many.
    """
    who = {"job": answer.job, **_how(answer)} if answer else {}
    return {"audit": {"verdict": verdict, **who}} if decision.audit else {}


def _copied(
    files: Files, number: int, by_ref: Mapping[str, Image], decided: Iterable[Decision], made: Iterable[Annotation]
) -> list[Annotation]:
    """The labels of images that have the bytes of others: of some that people labelled before, or of the labels `made`
    in this round. A copy of an image that got none stays open as well.
    """
    known = copies.of_round(files, number)
    labels = {by_ref[label.source_ref].item.key: label for label in made}
    started, found = ledger.batch(files.batch_id)["started"], []
    for decision in filter(copies.is_copy, decided):
        image = by_ref[decision.source_ref]
        copy = known[image.item.key]
        label = copies.labelled_before(copy) if copy.label else labels.get(copy.of)
        if label is None:
            continue
        source_ref, original_ref, width, height = _place(image)
        provenance = {**_provenance(files, number, image, decision), **origins.inherited(label)}
        found.append(
            replace(
                label,
                source_ref=source_ref,
                original_ref=original_ref,
                width=width,
                height=height,
                creation_date=started,
                provenance=provenance,
                extra={},
                adjustment=None,
            )
        )
    return found


def _changed_since(files: Files, number: int, decided: list[Image]) -> set[str]:
    """The images that changed under their key since they were judged: nobody knows what a label was made on. They stay
    open. An imported label, too, would name an object that holds other bytes than those it is recorded for.
    """
    moved = pinned_bytes.changed(decided)
    stored = immutable.create_lines(files.changed(number), [{"source-ref": image.source_ref} for image in moved])
    if stored:
        count("LabelsOnChangedImages", len(stored))
        logger.warning("labels may have been made on other bytes and are asked again", images=len(stored))
    return {record["source-ref"] for record in stored}


def _answers(files: Files, number: int, asked: int, everything: list[Image]) -> tuple[dict[str, HumanLabel], set[str]]:
    """(source-ref -> what people said last about it in the jobs of the round, those whose proposal they rejected and
    gave no label instead); round 0 is an import.

    Raises MissingObjectError where people were `asked` in jobs that are not on record.
    """
    if number == 0:
        given = immutable.read_text_lines(files.imported_labels)
        attribute = jobs.form("annotate", settings()).attribute
        name = f"{files.batch_id}-r0"
        return dict(collect(name, "import", attribute, given, given, settings().label_names).labels), set()
    found: dict[str, HumanLabel] = {}
    rejected: set[str] = set()
    of_round = jobs.of_round(files, number)
    if asked and not of_round:
        raise storage.MissingObjectError(
            f"{asked} images of round {number} were asked about, but {files.jobs(number)} names no labelling job: what "
            "people answered would be lost. An older version of the stack began this: deploy that version again, then "
            "start the same execution again"
        )
    sizes = batches.sizes(everything)
    for job in of_round:
        collected = collecting.of_job(files, number, job, sizes)
        found.update(collected.labels)
        rejected.update(collected.rejected)
    return found, rejected - found.keys()


def _fits(answer: HumanLabel, image: Image) -> bool:
    label = answer.annotation
    source_ref, _, width, height = _place(image)
    if (label.width, label.height) == (width, height):
        return True
    logger.warning(
        "a label was drawn on an image of another size and is asked again",
        source_ref=source_ref,
        labelled=[label.width, label.height],
    )
    return False


def _human(answer: HumanLabel, image: Image, started: str, provenance: dict[str, Any]) -> Annotation:
    label = answer.annotation
    source_ref, original_ref, _, _ = _place(image)
    return replace(
        label,
        source_ref=source_ref,
        original_ref=original_ref,
        human=True,
        creation_date=started,
        job_name=answer.job,
        provenance=provenance,
        extra={},
        adjustment=tasks.changes(answer.proposed, label) if answer.proposed else None,
    )


def _how(answer: HumanLabel) -> dict[str, Any]:
    """How people came to the label, as far as the job tells."""
    told = {"job-kind": answer.kind, "workers": answer.workers, "agreement": answer.agreement}
    return {name: value for name, value in told.items() if value is not None}


def _provenance(files: Files, number: int, image: Image, decision: Decision) -> dict[str, Any]:
    item = image.item
    itself = item.version_id and image.source_ref == storage.uri(item.key)
    return {
        "batch": files.batch_id,
        "round": number,
        "sha256": _sha256(image),
        **({"version-id": item.version_id} if itself else {}),
        "sampled": image.item.sampled,
        "inclusion-probability": image.item.inclusion_probability,
        "policy": decision.policy,
        "score": decision.score,
    }


def _place(image: Image) -> tuple[str, str | None, int, int]:
    """(source-ref, original-ref, width, height) of a readable image."""
    found = image.inspection
    assert found is not None and found.width is not None and found.height is not None
    return image.source_ref, found.original_ref, found.width, found.height


def _may_judge(number: int, labelled: set[str], everything: list[Image]) -> set[str]:
    """The contents that the random sample drew. Identical files are one: all count as sampled where one of them is.

    Whoever supplied labels chose which images to label, so theirs judge only where the rest of the sample is too small:
    else it is that rest which stands for the images that are not labelled yet.
    """
    sampled = {_sha256(image) for image in everything if image.readable and image.item.sampled}
    return set() if number == 0 and len(sampled - labelled) >= settings().judge_images else sampled


def _sha256(image: Image) -> str:
    assert image.inspection is not None and image.inspection.sha256 is not None  # readable
    return image.inspection.sha256
