"""What a batch promises of the labels that its rounds accepted, or why they accepted none: for the summary, the report
and the notice that the batch is labelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from labelloop.batch import rounds
from labelloop.contracts.layout import Files
from labelloop.store import immutable, storage

Promise = Mapping[str, Any]


def of_rounds(files: Files, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """One for each of these rounds that had a model: the policy's version, the target, what is promised, what is
    missing for more, `attainable`, [target, share of the judge images that it accepts], and `figures` of the model's
    labels, both as of when it was fitted. A round that had nothing left to ask with repeats what the last one that had
    said.
    """
    found: list[dict[str, Any]] = []
    asked = ""
    for number in numbers:
        pinned = immutable.find_json(files.round(number)) or {"model": ""}
        if rule := rounds.rule(pinned):
            spent = pinned.get("alpha", 1) <= 0
            fitted = immutable.find_json(storage.own_key(pinned["thresholds_uri"])) or {}
            found.append(
                {
                    "round": number,
                    "model": pinned["model"],
                    "policy": rule.version,
                    "target": rule.target,
                    "accepts_from": rule.threshold,
                    "promise": rule.promise,
                    "missing": asked if spent else rule.missing,
                    "attainable": fitted.get("attainable", []),
                    "figures": fitted.get("figures", {}),
                }
            )
            asked = asked if spent else f"Round {number} said: {rule.promise} {rule.missing}".strip()
    return found


def sentence(promises: Sequence[Promise]) -> str:
    """What the last round with a model could promise; empty where none had one."""
    return f"{promises[-1]['promise']} {promises[-1]['missing']}".strip() if promises else ""


def html(promises: Sequence[Promise]) -> str:
    rows = "".join(
        f"<li>Round {each['round']}, <code>{escape(each['model'])}</code>: {escape(each['promise'])} "
        f"{escape(each['missing'])}{_visibility(each.get('figures', {}))}</li>"
        for each in promises
    )
    return f"<p>What is promised of the accepted labels:</p><ul>{rows}</ul>{_curve(promises)}" if rows else ""


def _visibility(figures: Mapping[str, Any]) -> str:
    """Of a model of key points; empty for others, and where nothing was judged."""
    if figures.get("visibility_accuracy") is None:
        return ""
    return (
        f" It tells whether a point is visible, occluded or outside the view right for "
        f"{figures['visibility_accuracy']:.0%} of {figures['visibility_points']} points of the judge images; calling "
        f"each visible would be right for {figures['visibility_always_visible']:.0%}."
    )


def _curve(promises: Sequence[Promise]) -> str:
    """Of the last model: other targets are a question about it, not about those before."""
    attainable = promises[-1]["attainable"]
    if not attainable:
        return ""
    targets = "".join(f"<th>{target:.2f}</th>" for target, _ in attainable)
    shares = "".join(f"<td>{share:.0%}</td>" for _, share in attainable)
    return (
        f"<p>Share of the images that <code>{escape(promises[-1]['model'])}</code> could label alone, by target, "
        "as its judge images stood when it was fitted:</p>"
        f"<table><tr><th>target</th>{targets}</tr><tr><td>share</td>{shares}</tr></table>"
    )
