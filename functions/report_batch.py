"""Report Batch: the merged manifest, the summary and the report; marks the batch finished and says so."""

from collections import Counter
from typing import Any

from labelloop import audit, aws, batches, datasets, immutable, ledger, report, scores, storage
from labelloop.batches import Files, Image
from labelloop.judgement import Policy
from labelloop.manifests import Annotation
from labelloop.observability import count, entry, logger
from labelloop.records import Decision, Prediction
from labelloop.settings import settings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    files = Files(event["batch_id"])
    everything = batches.images(files.batch_id) if storage.exists(files.inventory) else []
    rounds = _rounds(files)
    last = max((row["round"] for row in rounds), default=0)
    counts = batches.check_conservation(files.batch_id, everything, last)
    annotations = [
        annotation for row in rounds for annotation in batches.round_annotations(files.batch_id, row["round"])
    ]
    storage.write(files.annotations, _manifest(annotations), "application/jsonlines")
    jobs = scores.of_batch(files, [row["round"] for row in rounds])
    workers = _workers(jobs)
    summary = {
        "batch": files.batch_id,
        "images": len(everything),
        **counts,
        "sampled": sum(image.item.sampled for image in everything),
        "rounds": rounds,
        "jobs": [{name: job[name] for name in job if name != "workers"} for job in jobs],
        "workers": workers,
        "rejected_reasons": _rejections(files, everything, last),
        "dataset": datasets.current().version,
        "audit": _audit(files, rounds, annotations),
        "started": ledger.batch(files.batch_id)["started"],
        "policy": settings().accept_policy,
    }
    storage.write_json(f"{files.root}/summary.json", summary)
    report_uri = storage.write(
        f"{files.root}/report.html", report.render(summary).encode("utf-8"), "text/html; charset=utf-8"
    )
    if ledger.end_batch(files.batch_id, event["execution"], "finished", rounds_done=last):
        _notify(files.batch_id, counts, [row["worker"] for row in workers if row["flagged"]], report_uri)
    count("BatchLabeled")
    logger.info("batch reported", report=report_uri, extra=counts)
    return {"images": len(everything), **counts, "report_uri": report_uri}


def _rounds(files: Files) -> list[dict[str, Any]]:
    """One row per round that ran: what it pinned and what it decided. Round 0 is an import of supplied labels."""
    rows = []
    for number in batches.decided_rounds(files.batch_id):
        records = immutable.read_lines(files.decisions(number))
        pinned = immutable.find_json(files.round(number)) or {"model": "", "thresholds_uri": "", "predictions_round": 0}
        decided = Counter(Decision.from_json(record).decision for record in records)
        labelled = Counter(
            "human" if annotation.human else "auto" for annotation in batches.round_annotations(files.batch_id, number)
        )
        rows.append(
            {
                "round": number,
                "model_version": pinned["model"],
                "auto": labelled["auto"],
                "human": labelled["human"],
                "asked": decided["human"],
                "rejected": decided["rejected"],
                "deferred": sum(decided.values()) - decided["rejected"] - sum(labelled.values()),
                "thresholds_uri": pinned["thresholds_uri"],
                "predictions_round": pinned["predictions_round"],
            }
        )
    return rows


def _workers(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each worker of the batch; `flagged` below WorkerMinimumQuality."""
    histories = ledger.worker_histories(score["worker"] for job in jobs for score in job["workers"])
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


def _audit(files: Files, rounds: list[dict[str, Any]], annotations: list[Annotation]) -> list[dict[str, Any]]:
    """Per model that labelled: what the random sample says about the labels its policy accepts."""
    gold = [
        (annotation, float(annotation.provenance["inclusion-probability"]))
        for annotation in annotations
        if annotation.provenance.get("role") == "gold" and annotation.provenance.get("sampled")
    ]
    estimates = []
    for model in sorted({row["model_version"] for row in rounds if row["model_version"]}):
        rows = [row for row in rounds if row["model_version"] == model]
        policy = Policy(settings().accept_policy, _threshold(rows[-1]), model)  # type: ignore[arg-type]
        result = audit.estimate(
            audit.audited_images(gold, _seen_by(model, files, rows[0]), policy, settings().keep_confidence)
        )
        estimates.append(
            {
                "model": model,
                "auto_labels": sum(row["auto"] for row in rows),
                "images": result.images,
                "mean_iou": result.mean,
                "low": result.low,
                "high": result.high,
                "sentence": audit.sentence(result),
            }
        )
    return estimates


def _threshold(row: dict[str, Any]) -> float | None:
    if settings().accept_policy == "fixed":
        return settings().accept_threshold
    threshold: float | None = immutable.read_json(storage.own_key(row["thresholds_uri"]))["accept"]
    return threshold


def _seen_by(model: str, files: Files, row: dict[str, Any]) -> dict[str, Prediction]:
    """What the model saw in this batch: in its rounds, and, for images labelled before it existed, when its training
    scored gold.
    """
    seen = batches.predictions(files.batch_id, row["predictions_round"])
    card = immutable.find_json(f"models/{model}/card.json") or {}
    for record in storage.find_lines(f"training/{card.get('job', '')}/scores/challenger-gold.jsonl") or ():
        prediction = Prediction.from_json(record)
        seen.setdefault(prediction.source_ref, prediction)
    return seen


def _manifest(annotations: list[Annotation]) -> bytes:
    ordered = sorted(annotations, key=lambda annotation: annotation.source_ref)
    return "".join(annotation.to_line(settings().label_names) + "\n" for annotation in ordered).encode("utf-8")


def _notify(batch_id: str, counts: dict[str, int], flagged: list[str], report_uri: str) -> None:
    sentence = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    below = f"\nBelow WorkerMinimumQuality on honeypots: {', '.join(flagged)}." if flagged else ""
    aws.client("sns").publish(
        TopicArn=settings().notification_topic,
        Subject=f"Batch {batch_id} is labelled"[:100],
        Message=f"{sentence}.{below}\nReport: {report_uri}",
    )
