"""Report Batch: the merged manifest, the summary and the report; marks the batch finished and says so."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from labelloop.batch import auditing, batches, copies, forecasts, pinned_bytes, promises, report, rounds
from labelloop.batch.batches import Image
from labelloop.contracts import origins, predictions
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Decision
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.people import agreement, scores, supplied, worker_rows
from labelloop.store import datasets, immutable, ledger, notices, storage
from labelloop.store.observability import count, entry, logger
from labelloop.trust import audit, own_verdicts
from labelloop.trust.policies import Rule


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files = Files(event["batch_id"])
    rows, facts = _rounds(files), ledger.batch(files.batch_id)
    last = max((row["round"] for row in rows), default=0)
    everything = batches.images(files.batch_id, last) if storage.was_written(files.inventory) else []
    counts = batches.check_conservation(files.batch_id, everything, last)
    annotations = [annotation for row in rows for annotation in batches.round_annotations(files.batch_id, row["round"])]
    storage.write(files.annotations, _manifest(annotations), "application/jsonlines")
    jobs = scores.of_batch(files, [row["round"] for row in rows])
    workers, agreeing = _workers(jobs), agreement.over_jobs(jobs)
    summary = {
        "batch": files.batch_id,
        "images": len(everything),
        **counts,
        "sampled": sum(image.item.sampled for image in everything),
        "uninspected": sum(image.inspection is None for image in everything),
        "rounds": rows,
        "jobs": [{name: job[name] for name in job if name != "workers"} for job in jobs],
        "workers": workers,
        "rejected_reasons": _rejections(files, everything, last),
        "dataset": datasets.current_version(),
        "audit": _audit(files, everything, rows, annotations, agreeing),
        "promises": promises.of_rounds(files, [row["round"] for row in rows]),
        "people_agreement": agreeing,
        "copies": _copies(annotations),
        "changed_since": _changed_since(everything, annotations),
        "imported": storage.find_json(files.imported) or {},
        "estimate": storage.find_json(files.estimate) or {},
        "second_training": forecasts.why_no_second_training(files, len(everything), counts["auto"]),
        "started": facts["started"],
        "left_behind": int(facts.get("left_behind", 0)),
        **(storage.find_json(files.beside) or {}),
        "policy": settings().accept_policy,
    }
    storage.write_json(f"{files.root}/summary.json", summary)
    report_uri = storage.write(
        f"{files.root}/report.html", report.render(summary).encode("utf-8"), "text/html; charset=utf-8"
    )
    if ledger.end_batch(files.batch_id, event["execution"], "finished", rounds_done=last):
        told = (promises.sentence(summary["promises"]), report.copies(summary), report.left_behind(summary))
        _notify(files.batch_id, last, counts, workers, "\n".join(filter(None, told)), report_uri)
    count("BatchLabeled")
    logger.info("batch reported", report=report_uri, extra=counts)
    return {"images": len(everything), **counts, "report_uri": report_uri}


def _rounds(files: Files) -> list[dict[str, Any]]:
    """One row per round that ran: what it pinned and what it decided. Round 0 is an import of supplied labels."""
    rows = []
    for number in batches.decided_rounds(files.batch_id):
        records = immutable.read_lines(files.decisions(number))
        pinned = immutable.find_json(files.round(number)) or {"model": "", "thresholds_uri": ""}
        inference = storage.find_json(files.inference(number)) or {"asked": 0, "outage": ""}
        decisions = [Decision.from_json(record) for record in records]
        decided = Counter(decision.decision for decision in decisions)
        annotations = batches.round_annotations(files.batch_id, number)
        labelled = Counter("human" if annotation.human else "auto" for annotation in annotations)
        rows.append(
            {
                "round": number,
                "model_version": pinned["model"],
                "auto": labelled["auto"],
                "human": labelled["human"],
                "asked": sum(map(copies.asks_people, decisions)),
                **auditing.counts(files, number, annotations),
                "rejected": decided["rejected"],
                "deferred": sum(decided.values()) - decided["rejected"] - sum(labelled.values()),
                "model_start": models.start_of(pinned["model"]),
                "thresholds_uri": pinned["thresholds_uri"],
                "inferred": inference["asked"],
                "outage": inference["outage"],
                "own_judge": own_verdicts.told(decisions),
                "own_labels": own_verdicts.accepted(annotations),
                "changed": _changed(files, number, decisions),
                "refused_predictions": sum(_was_refused(decision) for decision in decisions),
            }
        )
    return rows


def _changed(files: Files, number: int, decisions: list[Decision]) -> int:
    """How many images changed under their key before they were judged, or before their label was taken."""
    before = sum(pinned_bytes.CHANGED in decision.reasons for decision in decisions)
    return before + len(immutable.find_lines(files.changed(number)) or ())


def _changed_since(everything: list[Image], annotations: list[Annotation]) -> int:
    """How many labels name an object that holds other bytes by now, or nothing, than those that were labelled."""
    labelled = {annotation.source_ref for annotation in annotations}
    return len(pinned_bytes.changed([image for image in everything if image.source_ref in labelled]))


def _copies(annotations: list[Annotation]) -> dict[str, int]:
    """How many labels of people, and of the machine, were made on another image with the same bytes."""
    of_people = Counter(annotation.human for annotation in annotations if copies.is_copied(annotation))
    return {"human": of_people[True], "auto": of_people[False]}


def _was_refused(decision: Decision) -> bool:
    return any(reason.startswith("prediction-refused") for reason in decision.reasons)


def _workers(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each worker of the batch; `flagged` below WorkerMinimumQuality."""
    histories = worker_rows.histories(score["worker"] for job in jobs for score in job["workers"])
    rows = scores.by_worker(jobs, histories)
    count("WorkersFlagged", sum(row["flagged"] for row in rows))
    return rows


def _rejections(files: Files, everything: list[Image], last: int) -> dict[str, str]:
    """Key -> why, for every rejected object."""
    reasons = {
        image.item.key: f"{image.inspection.reason}: {image.inspection.detail}"
        for image in everything
        if image.inspection is not None and image.inspection.status == "rejected"
    }
    keys = {image.source_ref: image.item.key for image in everything}
    for number in range(1, last + 1):
        for record in immutable.find_lines(files.decisions(number)) or ():
            decision = Decision.from_json(record)
            if decision.decision == "rejected":
                reasons[keys[decision.source_ref]] = ", ".join(decision.reasons)
    return dict(sorted(reasons.items()))


def _audit(
    files: Files,
    everything: list[Image],
    rows: list[dict[str, Any]],
    annotations: list[Annotation],
    agreeing: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """What people said of the labels that each round accepted; and, of what nobody looked at, per model and rule that
    accepted its labels: what the random sample says about labels accepted so.
    """
    audited = auditing.told(files, [row["round"] for row in rows], annotations, agreeing)
    known = {(row["model"], row["policy"]) for row in audited}
    return audited + [
        row
        for row in _of_the_sample(files, everything, rows, annotations)
        if (row["model"], row["policy"]) not in known
    ]


def _of_the_sample(
    files: Files, everything: list[Image], rows: list[dict[str, Any]], annotations: list[Annotation]
) -> list[dict[str, Any]]:
    judges = _judges(everything, annotations)
    estimates = _of_own_functions(rows)
    for model in sorted({row["model_version"] for row in rows if row["model_version"]}):
        seen = _seen_by(model, files, everything, annotations, max(row["round"] for row in rows))
        for (rule, label_rule), labels in _rules_of(model, files, rows):
            result = audit.estimate(audit.audited_images(judges, seen, rule, label_rule, settings().skeleton))
            estimates.append(
                {
                    "model": model,
                    "policy": rule.version,
                    "auto_labels": labels,
                    "images": result.images,
                    "mean_iou": result.mean,
                    "low": result.low,
                    "high": result.high,
                    "sentence": audit.sentence(result),
                }
            )
    return estimates


def _of_own_functions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    labels: Counter[tuple[str, str]] = Counter()
    for row in rows:
        labels.update({(row["model_version"], policy): number for policy, number in row["own_labels"].items()})
    unknown = {"images": 0, "mean_iou": None, "low": None, "high": None}
    return [
        {"model": model, "policy": policy, "auto_labels": number, **unknown}
        | {"sentence": own_verdicts.not_audited(policy)}
        for (model, policy), number in sorted(labels.items())
    ]


def _judges(everything: list[Image], annotations: list[Annotation]) -> list[tuple[Annotation, float, int]]:
    """Of every judging content that the sample drew: people's label of it, the chance that one of its images was drawn,
    and how many it has.
    """
    readable = [(image.inspection.sha256, image) for image in everything if image.inspection and image.readable]
    often = Counter(content for content, _ in readable)
    drawn = {content for content, image in readable if image.item.sampled}
    sampled = sum(image.item.sampled for image in everything)
    looked_at: dict[str, Annotation] = {}
    for annotation in annotations:
        content = annotation.provenance.get("sha256", "")
        if (
            origins.role_of(annotation.provenance) == origins.JUDGE
            and content in drawn
            and not copies.is_copied(annotation)
        ):
            looked_at.setdefault(content, annotation)
    return [
        (label, audit.chance_of_any(often[content], sampled, len(everything)), often[content])
        for content, label in looked_at.items()
    ]


def _rules_of(model: str, files: Files, rows: list[dict[str, Any]]) -> list[tuple[tuple[Rule, LabelRule], int]]:
    """((rule, label rule), labels it accepted), in the order of rounds; the last alone where none accepted any.
    Labels that an own function accepted are not the rule's.
    """
    accepted: dict[tuple[Rule, LabelRule], int] = {}
    for row in rows:
        if row["model_version"] == model:
            pinned = immutable.read_json(files.round(row["round"]))
            rule = rounds.rule(pinned)
            assert rule is not None  # there is a model
            kept = rule, rounds.label_rule(pinned)
            accepted[kept] = accepted.get(kept, 0) + row["auto"] - sum(row["own_labels"].values())
    return [each for each in accepted.items() if each[1]] or list(accepted.items())[-1:]


def _seen_by(
    model: str, files: Files, everything: list[Image], annotations: list[Annotation], last: int
) -> dict[str, Prediction]:
    """What the model saw in this batch: in its rounds, and when its training scored judge images."""
    seen = dict(batches.seen(files.batch_id, model, last, everything).usable)
    card = immutable.find_json(f"models/{model}/card.json") or {}
    scored = training.stored_scores(str(card.get("job", "")), "challenger")
    for prediction in predictions.against_truths(scored, annotations, settings().vocabulary):
        seen.setdefault(prediction.source_ref, prediction)
    return seen


def _manifest(annotations: list[Annotation]) -> bytes:
    ordered = sorted(annotations, key=lambda annotation: annotation.source_ref)
    return storage.text_bytes(annotation.to_line(settings().label_names) for annotation in ordered)


def _notify(
    batch_id: str, last: int, counts: dict[str, int], workers: list[dict[str, Any]], left_behind: str, report_uri: str
) -> None:
    flagged = [row["worker"] for row in workers if row["flagged"]]
    sentence = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    told = storage.find_json(Files(batch_id).imported)
    imported = f"\n{supplied.sentence(told)}" if told else ""
    below = f"\nBelow WorkerMinimumQuality on honeypots: {', '.join(flagged)}." if flagged else ""
    left = f"\n{left_behind}" if left_behind else ""
    notices.tell(
        f"labelled/{batch_id}/{last}",
        f"Batch {batch_id} is labelled",
        f"{sentence}.{imported}{below}{left}\nReport: {report_uri}",
    )
