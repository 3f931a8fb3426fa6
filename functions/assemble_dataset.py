"""Assemble Dataset: the train and judge sets of a dataset version, and the images the job fetches."""

import json
from typing import Any

from labelloop.contracts import origins
from labelloop.contracts.manifests import Annotation
from labelloop.engines import training, training_images
from labelloop.store import datasets, immutable, storage
from labelloop.store.observability import entry, logger


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Only human labels take part, each in the role the ledger fixed: judge images never train. The job reads copies
    of the versions that were labelled.
    """
    folder = training.folder(event["job"])
    by_role: dict[str, list[str]] = {origins.TRAIN: [], origins.JUDGE: []}
    for role, line in datasets.evidence(datasets.load(event["dataset_version"]).lines):
        by_role[role].append(line)
    secured = training_images.secure(by_role)
    for role, lines in secured.lines.items():
        by_role[role] = immutable.create_text_lines(f"{folder}/dataset/{role}.jsonl", lines)
    references = {Annotation.from_line(line).training_ref for lines in by_role.values() for line in lines}
    manifest = json.dumps([{"prefix": storage.uri("")}, *sorted(map(storage.own_key, references))])
    images_uri = storage.write(f"{folder}/images.manifest", manifest.encode(), "application/json")
    storage.write_lines(f"{folder}/left-out.jsonl", secured.left_out)
    counts = {**{role: len(lines) for role, lines in by_role.items()}, "left_out": len(secured.left_out)}
    logger.info("dataset assembled", dataset=event["dataset_version"], extra=counts)
    older = dict.fromkeys(origins.JUDGES_OF_0_1, 0)  # executions of version 0.1 ask for them
    return {"dataset_uri": storage.uri(f"{folder}/dataset/"), "images_uri": images_uri, **counts, **older}
