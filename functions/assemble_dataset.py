"""Assemble Dataset: the train, calibration and gold sets of one dataset version, and the list of images the job
fetches.
"""

import json
from typing import Any

from labelloop import datasets, immutable, labelled_bytes, storage, training
from labelloop.observability import entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Only human labels take part, each in the role the ledger fixed: gold and calibration images never train. Where an
    image changed since, the version that was labelled takes part.
    """
    folder = training.folder(event["job"])
    by_role: dict[str, list[str]] = {"train": [], "calibration": [], "gold": []}
    for role, line in datasets.evidence(datasets.load(event["dataset_version"]).lines):
        by_role[role].append(line)
    for role, lines in by_role.items():
        secured = labelled_bytes.secure(lines, f"{folder}/images")
        by_role[role] = immutable.create_text_lines(f"{folder}/dataset/{role}.jsonl", secured)
    images = [storage.own_key(json.loads(line)["source-ref"]) for lines in by_role.values() for line in lines]
    manifest = json.dumps([{"prefix": storage.uri("")}, *sorted(images)], ensure_ascii=False)
    images_uri = storage.write(f"{folder}/images.manifest", manifest.encode(), "application/json")
    counts = {role: len(lines) for role, lines in by_role.items()}
    logger.info("dataset assembled", dataset=event["dataset_version"], extra=counts)
    return {"dataset_uri": storage.uri(f"{folder}/dataset/"), "images_uri": images_uri, **counts}
