"""The batch report: one self-contained HTML page.

It is for the person who asks "can I trust these labels, and what did they cost?".
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from labelloop.batch import promises
from labelloop.contracts.naming import READY

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;border-bottom:1px solid
var(--line);text-align:right}

th:first-child,td:first-child{text-align:left}.bar{display:flex;height:1.4rem;border-radius:.3rem;overflow:hidden;margin:1rem
0 .4rem}
.auto{background:#0072b2}.human{background:#e69f00}.rejected{background:#999}.deferred{background:#cc79a7}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.2em;margin:0 .3em 0 1em}code{overflow-wrap:anywhere}
"""
STARTS = {
    "base": "the base weights",
    "champion": "the champion before it",
    "random": "random weights: the stack has no base weights (parameter BaseWeights)",
}
OUTCOMES = ("auto", "human", "rejected", "deferred")


def render(summary: Mapping[str, Any]) -> str:
    """`summary` is the batch's summary.json."""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(summary['batch'])}</title><style>{_STYLE}</style>"
        f"<h1>Batch {escape(summary['batch'])}</h1>"
        f"<p>{summary['images']} objects, started {escape(summary['started'][:19])} UTC, "
        f"dataset <code>{escape(summary['dataset'] or 'none')}</code></p>"
        f"{_bar(summary)}{_estimate(summary['estimate'])}{_imported(summary['imported'])}"
        f"<h2>Can these labels be trusted?</h2>{_trust(summary)}"
        f"<h2>Rounds</h2>{_rounds(summary['rounds'])}{_second_training(summary)}{_jobs(summary['jobs'])}"
        f"{_workers(summary['workers'])}{_copies(summary)}{_changed_since(summary)}{_rejections(summary['rejected_reasons'])}{_beside(summary)}"
        f"{_next_step(summary)}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _bar(summary: Mapping[str, Any]) -> str:
    total = max(1, summary["images"])
    parts = "".join(f"<div class={name} style='width:{100 * summary[name] / total:.2f}%'></div>" for name in OUTCOMES)
    legend = "".join(f"<span class='key {name}'></span>{summary[name]} {name}" for name in OUTCOMES)
    return f"<div class=bar>{parts}</div><p>{legend}</p>"


def _imported(imported: Mapping[str, Any]) -> str:
    if not imported:
        return ""
    told = f"<p>{imported['labels']} supplied labels were imported, {imported['refused']} lines were refused.</p>"
    tables = [("why refused", "lines", imported["reasons"]), ("what was mended", "boxes", imported.get("mended", ()))]
    return (
        "<h2>Supplied labels</h2>"
        + told
        + "".join(
            table(
                (title, counted, "first lines"),
                [(row["reason"], row["count"], ", ".join(map(str, row["lines"]))) for row in rows],
            )
            for title, counted, rows in tables
            if rows
        )
    )


def _estimate(estimate: Mapping[str, Any]) -> str:
    if not estimate:
        return ""
    forecast = estimate.get("forecast", {}).get("sentence", "")
    return (
        "<p>Before it began, the batch was estimated to ask people about at most "
        f"{estimate['labelled_by_people']} images and to cost at most ${estimate['dollars']:,.2f}."
        f"{f' {_sentence(forecast)}' if forecast else ''}</p>"
    )


def _second_training(summary: Mapping[str, Any]) -> str:
    reason = summary.get("second_training", "")
    return f"<p>{_sentence(reason)}</p>" if reason else ""


def _sentence(words: str) -> str:
    return escape(f"{words[:1].upper()}{words[1:]}.")


def _trust(summary: Mapping[str, Any]) -> str:
    sample = (
        f"<p>{summary['sampled']} images were drawn at random before any judgement and labelled by people. "
        "Those of them that never train judge the machine's labels:</p>"
    )
    promised = promises.html(summary.get("promises", ()))
    sample += _looked_at(summary)
    if not summary["audit"]:
        return sample + promised + "<p>No model labelled in this batch: people made every label.</p>"
    rows = "".join(
        f"<li><code>{escape(row['model'])}</code>, {row['auto_labels']} labels accepted: {escape(row['sentence'])}</li>"
        for row in summary["audit"]
    )
    return f"{promised}{sample}<ul>{rows}</ul>"


def _looked_at(summary: Mapping[str, Any]) -> str:
    """People's look at accepted labels, and at one another's."""
    told, rows = "", summary["rounds"]
    if looked := sum(row.get("audited", 0) for row in rows):
        corrected = sum(row.get("corrected", 0) for row in rows)
        told += (
            f"<p>Of the accepted labels, people looked at {looked} drawn at random before any was published, and "
            f"corrected {corrected}. A label that they left as it is counts as much as judge images of its score are "
            "worth, and as 1 at the upper end of an interval.</p>"
        )
    if agreeing := summary.get("people_agreement"):
        told += (
            f"<p>{agreeing['images']} images were labelled by two people or more: they agree with one another at "
            f"{agreeing['quality']:.2f}. No label can be told to be better than that.</p>"
        )
    return told


def _rounds(rounds: Sequence[Mapping[str, Any]]) -> str:
    if not rounds:
        return "<p>No round was needed.</p>"
    outages = "".join(f"<p>Round {row['round']}: {escape(row['outage'])}.</p>" for row in rounds if row["outage"])
    outages += "".join(
        f"<p>Round {row['round']}: {escape(row['own_judge'])}.</p>" for row in rounds if row.get("own_judge")
    )
    outages += "".join(
        f"<p>Round {row['round']}: people's look at its accepted labels contradicts the promise. None of them was "
        "accepted, and the model accepted nothing more in this batch.</p>"
        for row in rounds
        if row.get("contradicted")
    )
    begun = {row["model_version"]: STARTS.get(row.get("model_start", "")) for row in rounds if row["model_version"]}
    outages += "".join(
        f"<p>Model <code>{escape(model)}</code> was trained from {start}.</p>"
        for model, start in begun.items()
        if start
    )
    header = (
        "round",
        "model",
        "auto",
        "human",
        "asked",
        "audited",
        "rejected",
        "deferred",
        "changed",
        "predictions refused",
    )
    return outages + table(
        header,
        [
            (
                row["round"] or "import",
                row["model_version"] or "none yet",
                row["auto"],
                row["human"],
                row["asked"],
                row.get("audited", 0),
                row["rejected"],
                row["deferred"],
                row["changed"],
                row["refused_predictions"],
            )
            for row in rounds
        ],
    )


def _jobs(jobs: Sequence[Mapping[str, Any]]) -> str:
    if not jobs:
        return ""
    header = ("labelling job", "kind", "ended", "images", "labelled", "rejected", "not usable", "unanswered", "why")
    rows = [
        (
            *(job["job"], job["kind"], job["status"], job["objects"]),
            *(job["labelled"], job["rejected"], job.get("unusable", 0), job["unanswered"]),
            "; ".join([*([job["reason"]] if job["reason"] else []), *job.get("problems", ())]),
        )
        for job in jobs
    ]
    return "<h2>What people were asked</h2>" + table(header, rows)


def _workers(workers: Sequence[Mapping[str, Any]]) -> str:
    """Honeypots are images whose label is known; people cannot tell them from others."""
    if not workers:
        return ""
    header = (
        *("person", "answers", "refused", "cannot judge", "median seconds", "agreement"),
        *("honeypots", "quality on honeypots", ""),
    )
    rows = [
        (
            *(row["worker"], row["answers"], row["refused"], row["cannot_judge"]),
            *(_figure(row["seconds"], 1), _figure(row["agreement"], 2)),
            *(row["honeypots"], _figure(row["honeypot_quality"], 2), "below the bound" if row["flagged"] else ""),
        )
        for row in workers
    ]
    return "<h2>Who labelled</h2>" + table(header, rows)


def _figure(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _changed_since(summary: Mapping[str, Any]) -> str:
    if not summary.get("changed_since"):
        return ""
    return (
        f"<h2>Changed images</h2><p>{summary['changed_since']} images were overwritten or deleted after they were "
        "labelled. Their labels are of the version that <code>version-id</code> in <code>provenance</code> names; the "
        "bucket keeps it, and training uses it.</p>"
    )


def _rejections(reasons: Mapping[str, str]) -> str:
    if not reasons:
        return ""
    return "<h2>Rejected objects</h2>" + table(("object", "why"), list(reasons.items())[:200])


def _copies(summary: Mapping[str, Any]) -> str:
    return f"<h2>Copies</h2><p>{copies(summary)}</p>" if copies(summary) else ""


def _beside(summary: Mapping[str, Any]) -> str:
    """What lies under the prefix and is not of this batch."""
    side, elsewhere = summary.get("side_files") or {"count": 0}, summary.get("elsewhere") or {"count": 0}
    told = []
    if side["count"]:
        more = ", ..." if side["count"] > len(side["first"]) else ""
        kinds = ", ".join(f"{number} {kind}" for kind, number in side["kinds"].items())
        names = ", ".join(f"<code>{escape(name)}</code>" for name in side["first"])
        told.append(
            f"{side['count']} files are not pictures, to judge by their names ({escape(kinds)}): {names}{more}. "
            "The whole list is in <code>side-files.jsonl</code>; to have one labelled, name it in a marker's list."
        )
    if elsewhere["count"]:
        owners = ", ".join(f"<code>{escape(name)}</code>" for name in elsewhere["batches"])
        told.append(f"{elsewhere['count']} files have another batch: {owners}.")
    if misspelt := summary.get("misspelt_markers"):
        names = ", ".join(f"<code>{escape(name)}</code>" for name in misspelt)
        told.append(f"{names} started nothing: the name of a marker is exactly <code>{READY}</code>.")
    return "<h2>What else lies there</h2>" + "".join(f"<p>{each}</p>" for each in told) if told else ""


def copies(summary: Mapping[str, Any]) -> str:
    """How many images were known by their content; empty where none was."""
    found = sum((summary.get("copies") or {}).values())
    if not found:
        return ""
    return (
        f"{found} images have the bytes of another image, of this batch or an earlier one, and got its label "
        f"({summary['copies']['human']} of them a person's): nobody was asked, or paid, for them."
    )


def left_behind(summary: Mapping[str, Any]) -> str:
    """What a marker that names its images left out of a batch that was given up; empty where nothing was."""
    if not summary.get("left_behind"):
        return ""
    return (
        f"{summary['left_behind']} images of an earlier batch of this prefix, which was given up, are not among those "
        "that this marker names: put a marker {} to have them labelled, too."
    )


def _next_step(summary: Mapping[str, Any]) -> str:
    left = f"<h2>What no batch has</h2><p>{left_behind(summary)}</p>" if left_behind(summary) else ""
    if not summary["deferred"]:
        return left
    deferred, why = summary["deferred"], _why_deferred(summary)
    return left + (
        f"<h2>What is left</h2><p>{deferred} images are deferred: {why}, nothing was lost. "
        'Start the execution again with <code>"resume": true</code> in its input; '
        "raise HumanBudget or MaxRounds first if they were the limit.</p>"
    )


def _why_deferred(summary: Mapping[str, Any]) -> str:
    """What the jobs of the last round and the inspection know of it."""
    last = max((job.get("round", 0) for job in summary["jobs"]), default=0)
    in_vain, strange = (
        sum(job.get(name, 0) for job in summary["jobs"] if job.get("round", 0) == last)
        for name in ("unusable", "strange-lines")
    )
    lost = summary.get("uninspected", 0)
    told = [
        *([f"{lost} could not be read, see the failed executions of Inspect Images"] if lost else []),
        *([f"people answered about {in_vain}, but their answers cannot be used, see above"] if in_vain else []),
        *([f"{strange} answers are about images that their job did not ask about, see above"] if strange else []),
    ]
    return "; ".join([*told, "nobody labelled the others"]) if told else "nobody labelled them"
