"""A large batch travels through the machine as pointers and counts: no state grows with the number of images.

Twenty thousand objects are uploaded, no pictures but for the few that people see: the batch continues, as a restart
does, from the files that an execution before it left: inventory, inspections, the round's pin and its predictions.
Every step from there on is the real one.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from labelloop.batch.batches import shard_name
from labelloop.contracts.label_rules import LabelRule
from loop import Loop

from tests.support.pictures import CLASS, SIDE, Picture, pictures

IMAGES = 20_000
LARGEST_STATE = 32 * 1024
SHARD = 512
ASKED = 6
MODEL = "v000001-5ca1ab1e"


@pytest.mark.fault("A16", "D10", "D11")
def test_twenty_thousand_images_keep_every_state_below_32_kilobytes(loop: Loop) -> None:
    batch = loop.batch_id("large")
    drawn = pictures(ASKED, seed="large")
    keys = [f"incoming/large/{each.name}" for each in drawn]
    keys += [f"incoming/large/{number:05d}.png" for number in range(ASKED, IMAGES)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: loop.put(key, key.encode()), keys[ASKED:]))
    write_inventory_and_inspections(loop, batch, keys, drawn)
    write_round(loop, batch, keys)
    functions = ("RegisterBatch", "BeginRound")
    with loop.settings(*functions, SHARD_SIZE=str(SHARD)), loop.settings("JudgeBatch", HUMAN_BUDGET=str(ASKED)):
        run = loop.label("large", drawn, seconds=400)

    assert run.status == "SUCCEEDED", run.cause
    loop.assert_conserved(run)
    assert loop.summary(batch)["auto"] == IMAGES - ASKED and len(loop.dataset()) == IMAGES
    children = loop.map_children(run.arn)
    assert len(children) == -(-IMAGES // SHARD), "inspection, shard by shard; the model has seen all and is not asked"
    assert [child for child in children if child["status"] != "SUCCEEDED"] == []

    events = loop.history(run.arn)
    assert len(events) <= 60 + 12 * len(children), "the history grows with the shards, not with the images"
    sizes = state_sizes(loop, run.arn)
    assert len(sizes) == 2 * len(run.states)
    sizes |= {child["name"]: size_of(child) for child in children}
    assert max(sizes.values()) < LARGEST_STATE, sorted(sizes.items(), key=lambda item: item[1])[-3:]


def write_inventory_and_inspections(loop: Loop, batch: str, keys: list[str], drawn: list[Picture]) -> None:
    """The pictures that exist come first in the draw; nothing is sampled, so that the machine may label the rest."""
    inventory, inspections = [], []
    bodies = {**{key: key.encode() for key in keys}, **{f"incoming/large/{each.name}": each.body for each in drawn}}
    for number, key in enumerate(keys):
        pinned = {"key": key, "etag": hashlib.md5(bodies[key]).hexdigest(), "size": 1000}
        inventory.append({**pinned, "draw": number / IMAGES, "sampled": False, "inclusion-probability": 0.0005})
        seen = {"source-ref": f"s3://{loop.bucket}/{key}", "sha256": hashlib.sha256(key.encode()).hexdigest()}
        inspections.append({"key": key, "status": "ok", **seen, "width": SIDE, "height": SIDE})
    write_lines(loop, f"batches/{batch}/inventory.jsonl", inventory)
    for start in range(0, IMAGES, SHARD):
        name = shard_name("inspect", inventory[start : start + SHARD])
        write_lines(loop, f"batches/{batch}/inspected/{name}.jsonl", inspections[start : start + SHARD])


def write_round(loop: Loop, batch: str, keys: list[str]) -> None:
    """Round 1 is pinned to a model whose predictions are there: sure of all but the pictures that exist."""
    box = {"class": CLASS, "left": 1.0, "top": 2.0, "width": 30.0, "height": 40.0}
    predictions = [
        {
            "source-ref": f"s3://{loop.bucket}/{key}",
            "status": "ok",
            "width": SIDE,
            "height": SIDE,
            "model": MODEL,
            "boxes": [{**box, "confidence": 0.4 if number < ASKED else 0.95}],
        }
        for number, key in enumerate(keys)
    ]
    write_lines(loop, f"batches/{batch}/predictions/1/earlier.jsonl", predictions)
    thresholds = f"models/{MODEL}/thresholds/none.json"
    fitted = {"accept": 0.9, "target": 0.75, "dataset": "none", "label_rule": LabelRule(0.25).to_json()}
    loop.put(thresholds, json.dumps(fitted).encode())
    pin = {"round": 1, "endpoint": "labelloop-gone", "thresholds_uri": f"s3://{loop.bucket}/{thresholds}"}
    pin |= {"model": MODEL, "predictions_round": 1}
    loop.put(f"batches/{batch}/rounds/1.json", json.dumps(pin).encode())


def write_lines(loop: Loop, key: str, records: list[dict[str, Any]]) -> None:
    loop.put(key, "".join(json.dumps(record) + "\n" for record in records).encode())


def state_sizes(loop: Loop, arn: str) -> dict[str, int]:
    """Bytes of the input and of the output of every state, as the history has them."""
    sizes = {}
    for event in loop.history(arn):
        for direction in ("input", "output"):
            details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}
            if direction in details:
                sizes[f"{event['id']} {details['name']} {direction}"] = len(details[direction].encode())
    return sizes


def size_of(child: dict[str, Any]) -> int:
    return max(len((child.get(direction) or "").encode()) for direction in ("input", "output"))
