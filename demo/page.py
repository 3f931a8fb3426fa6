"""build/demo/report.html: one self-contained page that says what the loop did with the batch, and how well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from labelloop.contracts.skeletons import Pairs

from demo import drawn_marks, words
from demo.charts import bars, columns, legend, stacked, table
from demo.evaluate import BINS
from demo.gallery import SHOWN, Example

STYLE = Path(__file__).with_name("report.css")
OUTCOMES = (
    ("human", "labelled by people"),
    ("auto", "machine labels accepted"),
    ("rejected", "rejected"),
    ("deferred", "waiting for the next round"),
)
CHARGED = {"machine labels": "auto", "inference": "machine", "training": "machine"}  # the rest is people's work
Summary = Mapping[str, Any]


def render(summary: Summary, examples: Sequence[Example]) -> str:
    """`summary` is summary.json as summary.build makes it."""
    sections = (_head(summary), _rounds(summary), _models(summary), _seen(summary), _quality(summary), _cost(summary))
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>labelloop: {summary['images']} images</title><style>{STYLE.read_text('utf-8')}</style></head>"
        f"<body><main>{''.join(sections)}{_gallery(summary, examples)}{_further(summary)}</main></body></html>\n"
    )


def headline(summary: Summary) -> str:
    """The claim, in one sentence."""
    counted = f"Of {summary['images']} images, people labelled {summary['human']} and the model {summary['auto']}"
    if not summary["auto"]:
        return f"{counted}: no machine label was accepted."
    if summary["saving"] < 0:
        return f"{counted}, which costs {-summary['saving']:.0%} more than all-human labelling."
    return f"{counted}, saving {summary['saving']:.0%} against all-human labelling."


def sentences(summary: Summary) -> list[str]:
    """What a person reads before trusting the figures: promise, estimates, and what became of the second training."""
    said = [summary["promise"] or summary["why_nothing"]]
    said += [each["sentence"] for each in summary["audit"] if each["auto_labels"]]
    return [*said, _second(summary)]


def _second(summary: Summary) -> str:
    second = summary["second_training"]
    told = f"a second model was trained: {second['why']}" if second["trained"] else second["why"]
    return f"{told[:1].upper()}{told[1:]}."


def _head(summary: Summary) -> str:
    readable = summary["images"] - summary["rejected"]
    memory = f"peak memory {summary['peak_memory_mib'] / 1024:.1f} GiB"
    tiles = (
        (f"{summary['auto_share']:.0%}", f"of {readable} readable images labelled by the model"),
        (
            _figure(summary["accepted_quality"]),
            f"{_mean(summary)} of all labels accepted from the model, against the known truth",
        ),
        (f"{summary['saving']:.0%}", f"saved: ${summary['cost']:.2f} instead of ${summary['cost_all_human']:.2f}"),
        (_minutes(summary["wall_seconds"]), f"for everything, on {summary['cores']} cores; {memory}"),
    )
    named = f"{words.OF[summary['task']].names}: {', '.join(summary['classes'])}"
    drawn = "".join(f"<div class=tile><b>{escape(value)}</b><span>{escape(text)}</span></div>" for value, text in tiles)
    return (
        f"<h1>{escape(headline(summary))}</h1>"
        f"<p class=soft>{escape(summary['source'])}; {escape(named)}. The loop ran on the embedded AWS; "
        f"{_people(summary)} from the known truth, which the loop itself never sees.</p>"
        f"{_left_over(summary)}{_truth(summary)}{_warnings(summary)}<div class=tiles>{drawn}</div>"
    )


def by_hand(work: Mapping[str, int]) -> str:
    """What the person at this machine did, in one line."""
    late = work["expired"] + work["stopped"]
    rest = ((work["handed_over"], "handed over"), (late, "not in time"))
    said = [
        f"{work['answered']} of {work['asked']} images labelled",
        *(f"{count} {how}" for count, how in rest if count),
    ]
    return ", ".join(said)


def _people(summary: Summary) -> str:
    if not summary["by_hand"]:
        return "people were simulated"
    return f"a person worked by hand ({escape(by_hand(summary['by_hand']))}), the others were simulated"


def _left_over(summary: Summary) -> str:
    count = summary["rejected"]
    if not count:
        return ""
    were = "file was" if count == 1 else "files were"
    return f"<p class=soft>{count} {were} rejected, for the reasons shown below.</p>"


def _truth(summary: Summary) -> str:
    """What was mended or left out of people's own truth, before anything was uploaded."""
    rows = "".join(f"<li>{escape(note)}</li>" for note in summary.get("truth_notes", ()))
    return f"<p class=soft>Of the truth that you gave:</p><ul class='small soft'>{rows}</ul>" if rows else ""


def _warnings(summary: Summary) -> str:
    problems = list(summary["problems"])
    problems += [f"{each['what']} failed: {each['error']} {each['cause'][:300]}" for each in summary["failed_parts"]]
    return "".join(f"<p class=warn>{escape(problem)}</p>" for problem in problems)


def _rounds(summary: Summary) -> str:
    rounds = summary["rounds"]
    most = max((_decided(row) for row in rounds), default=0)
    early = summary["rejected"] - sum(row["rejected"] for row in rounds)
    most = max(most, early)
    rows = [_round_row(row) for row in rounds]
    if early:
        note = "before any model or person saw them"
        rows.insert(0, ("inspection", note, [("rejected", early)], f"{early} files"))
    figures = [
        (row["round"], row["model_version"] or "none yet", row["human"], row["auto"], row["rejected"], row["deferred"])
        for row in rounds
    ]
    foot = ("together", "", summary["human"], summary["auto"], summary["rejected"], summary["deferred"])
    return (
        "<h2>Who labelled what, round by round</h2>"
        "<p class=soft>Each bar is the images still open when the round began. A round asks people about a limited "
        "number of images, first those of the random sample, then those the model is least sure of; what neither "
        "settles waits for a better model.</p>"
        f"{legend(OUTCOMES)}{stacked(rows, most)}"
        f"{table(('round', 'model', 'people', 'model accepted', 'rejected', 'waiting'), figures, foot, 'second-left')}"
    )


def _decided(row: Mapping[str, Any]) -> int:
    return sum(int(row[name]) for name, _ in OUTCOMES)


def _round_row(row: Mapping[str, Any]) -> tuple[str, str, list[tuple[str, int]], str]:
    parts = [(name, int(row[name])) for name, _ in OUTCOMES]
    return f"round {row['round']}", row["model_version"] or "no model yet", parts, f"{_decided(row)} images"


def _models(summary: Summary) -> str:
    drawn = [
        (
            model["version"],
            f"trained on {model['train_images']} images" + ("" if model["promoted"] else ", not promoted"),
            [("auto", model["judge_map50"] or 0.0)],
            _figure(model["judge_map50"]),
        )
        for model in summary["models"]
    ]
    kept = [f"Round {each['round']}: {each['said']}" for each in summary["trainings"]]
    if not summary["second_training"]["trained"]:
        kept.append(_second(summary))
    listed = "".join(f"<li>{escape(text)}</li>" for text in kept)
    judge = summary["judge_images"]
    body = bars(drawn, 1.0) if drawn else "<p>No model was trained.</p>"
    return (
        "<h2>Every model is measured on the same judge images</h2>"
        f"<p class=soft>{words.OF[summary['task']].metric} on the {judge} judge images of the final dataset. "
        "They were drawn at random, labelled by people, and never trained any model. A challenger serves only when it "
        f"is shown to be better.</p>{body}"
        f"<ul class='small soft'>{listed}</ul>"
    )


def _mean(summary: Summary) -> str:
    return f"mean {words.OF[summary['task']].measure}"


def _seen(summary: Summary) -> str:
    """How well the last model does where none trained; nothing for boxes."""
    if "oks_map50" not in summary:
        return ""
    if summary["oks_map50"] is None:
        return "<h2>How well does the model see people?</h2><p>No model was trained.</p>"
    confusion = summary["visibility_confusion"]
    rows = [(f"really {true}", *said.values()) for true, said in confusion.items()]
    header = ("", *(f"said {said}" for said in confusion))
    return (
        "<h2>How well does the model see people?</h2>"
        f"<p>The last model, asked about the {summary['unseen_images']} pictures that no model trained on, against the "
        f"known truth: OKS mAP50 <b>{_figure(summary['oks_map50'])}</b>; visibility of the points right in "
        f"<b>{_share(summary['visibility_accuracy'])}</b>, mean over the three kinds "
        f"{_share(summary['visibility_balanced'])}. <span class=soft>Saying visible of every point would be right in "
        f"{_share(summary['visibility_always_visible'])}. The points of a person whom the model misses count as said "
        f"to be outside.</span></p>{table(header, rows)}"
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def _quality(summary: Summary) -> str:
    called = words.OF[summary["task"]]
    if summary["accepted_quality"] is None:
        why = escape(summary["why_nothing"])
        return f"<h2>How good are the machine's labels?</h2><p>No machine label was accepted. {why}</p>"
    ticks = [f"{place / BINS:.1f}–{(place + 1) / BINS:.1f}" for place in range(BINS)]
    used = [each for each in summary["audit"] if each["auto_labels"]]
    audit = [
        (each["model"], each["auto_labels"], _estimate(each), _figure(each["known_quality"]), _verdict(each))
        for each in used
    ]
    header = ("model", "labels accepted", "the loop's own estimate", "known truth", "")
    return (
        "<h2>How good are the machine's labels?</h2>"
        f"<p>{_mean(summary).capitalize()} of all {summary['auto']} accepted labels with the known truth: "
        f"<b>{_figure(summary['accepted_quality'])}</b>. <span class=soft>{called.rule} The same measure for the "
        f"{summary['human']} human labels: {_figure(summary['human_quality'])}.</span></p>"
        f"{columns(summary['auto_quality_histogram'], ticks, 'auto')}"
        f"<p class='small soft'>Accepted images by their {called.measure} with the truth.</p>"
        "<h3>Would you have known without the truth?</h3>"
        f"<p>What was promised: {escape(summary['promise']) or 'nothing'}</p>{_looked_at(summary)}"
        f"{table(header, audit)}{_sentences(used)}"
    )


def _looked_at(summary: Summary) -> str:
    """What the loop's own estimate rests on, and how far people agree."""
    told = "The loop estimates this quality itself, from the sampled judge images that people labelled"
    if summary["audited"]:
        told += (
            f", and from {summary['audited']} of the accepted labels, which people looked at before any was published; "
            f"they corrected {summary['corrected']} of these, which count as theirs"
        )
    if summary["people_agreement"] is not None:
        told += f". Two people who label the same image agree at {summary['people_agreement']:.2f}"
    return f"<p class=soft>{told}.</p>"


def _estimate(each: Mapping[str, Any]) -> str:
    if each["mean_iou"] is None:
        return "unknown"
    interval = "" if each["low"] is None else f" [{each['low']:.2f}, {each['high']:.2f}]"
    return f"{each['mean_iou']:.2f}{interval}"


def _verdict(each: Mapping[str, Any]) -> str:
    if each["known_quality"] is None or each["low"] is None:
        return ""
    inside = each["low"] <= each["known_quality"] <= each["high"]
    return "inside the interval" if inside else "outside the interval"


def _sentences(audit: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(f"<li><code>{escape(each['model'])}</code>: {escape(each['sentence'])}</li>" for each in audit)
    return f"<p class='small soft'>In the words of the batch's own report:</p><ul class='small soft'>{rows}</ul>"


def _cost(summary: Summary) -> str:
    whole = max(summary["cost_all_human"], summary["cost"])
    parts = [(CHARGED.get(part["what"], "human"), part["amount"]) for part in summary["cost_parts"]]
    total, all_human = f"${summary['cost']:.2f}", f"${summary['cost_all_human']:.2f}"
    rows = [
        ("this loop", "people, GPU hours", parts, total),
        ("all by people", "the same images", [("human", summary["cost_all_human"])], all_human),
    ]
    figures = [(part["what"], part["how"], f"${part['amount']:.2f}") for part in summary["cost_parts"]]
    return (
        "<h2>What it would have cost on AWS</h2>"
        f"{legend((('human', 'people'), ('machine', 'GPU hours')))}{bars(rows, whole)}"
        f"{table(('', 'how it is counted', 'US dollars'), figures, ('together', '', total), 'second-left')}"
        "<p class='small soft'>Prices, their sources and which of them are assumptions: "
        "<code>demo/prices.json</code>. Running the demo itself cost nothing.</p>"
    )


def _gallery(summary: Summary, examples: Sequence[Example]) -> str:
    auto = [example for example in examples if example.outcome == "auto"]
    human = [example for example in examples if example.outcome == "human"]
    rejected = [example for example in examples if example.outcome == "rejected"]
    bones = tuple((one, other) for one, other in summary.get("bones", ()))
    keys = "".join(f"<li><i class='outline {css}'></i>{text}</li>" for css, text in _legend(summary))
    return (
        f"<h2>Examples</h2><ul class=legend>{keys}</ul>"
        + _group(f"Accepted from the model, {_some(auto, summary['auto'])}, from the worst to the best", auto, bones)
        + _group(f"Labelled by people, {_some(human, summary['human'])}", human, bones)
        + _group(f"Rejected, {_some(rejected, summary['rejected'])}", rejected, bones)
    )


def _some(shown: Sequence[Example], count: int) -> str:
    return f"{len(shown)} of {count}" if count > SHOWN else f"all {count}"


def _legend(summary: Summary) -> list[tuple[str, str]]:
    made = [("key-auto", "label of the model"), ("key-human", "label of a person")]
    if "bones" not in summary:
        return [*made, ("dashed", "known truth")]
    return [*made, ("solid", "visible point"), ("hollow", "occluded point"), ("dashed", "known truth, points crossed")]


def _group(title: str, examples: Sequence[Example], bones: Pairs) -> str:
    if not examples:
        return ""
    drawn = "".join(_example(example, bones) for example in examples)
    return f"<h3>{escape(title)}</h3><div class=gallery>{drawn}</div>"


def _example(example: Example, bones: Pairs) -> str:
    caption = f"<figcaption><b>{escape(example.name)}</b>{escape(example.caption)}</figcaption>"
    if example.picture is None:
        return f"<figure><div class=empty>nothing to show</div>{caption}</figure>"
    alt = escape(f"{example.name}: {example.caption}", quote=True)
    if example.outcome == "rejected":
        return f"<figure><div class=frame><img class=whole alt='{alt}' src='{example.picture}'></div>{caption}</figure>"
    width, height = example.size
    labelled = "".join(drawn_marks.labelled(mark, example.outcome, example.size, bones) for mark in example.marks)
    drawn = drawn_marks.true_points(example.truth, example.size) + labelled + drawn_marks.true_boxes(example.truth)
    overlay = f"<svg viewBox='0 0 {width} {height}' preserveAspectRatio=none aria-hidden=true>{drawn}</svg>"
    return f"<figure><div class=frame><img alt='{alt}' src='{example.picture}'>{overlay}</div>{caption}</figure>"


def _further(summary: Summary) -> str:
    rows = "".join(f"<li><code>{escape(path)}</code> – {escape(text)}</li>" for path, text in summary["files"].items())
    return f"<footer><h2>Look further</h2><ul class=small>{rows}</ul></footer>"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"
