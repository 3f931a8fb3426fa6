"""What the stack of the workflow tests is deployed with, and whom its random draw shows first."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from labelloop.contracts.records import InventoryItem
from labelloop.trust.sampling import Tally, draw, draw_sample, fewest, in_role_order, roles

from tests.support.pictures import Picture

CONTAINERS = {
    "*labelloop-yolo": {
        "train": ["{python}", "{repo}/containers/yolo/train.py"],
        "serve": ["{python}", "{repo}/containers/yolo/serve.py"],
        "environment": {"ENGINE": "scripted_engine", "PYTHONPATH": "{repo}/tests/support"},
    }
}
# Small batches, small rounds: a batch of 24 pictures asks people twice before the machine knows enough.
ADVANCED = {
    "Seed": 7,
    "ShardSize": 8,
    "SampleMinimum": 10,
    "JudgeImages": 6,
    "SecondTraining": "always",
    "JudgeMinimum": 2,
    "TrainingTimeoutSeconds": 600,
    "DeploymentTimeoutSeconds": 600,
    "InferenceQueueSeconds": 600,
    "InvocationTimeoutSeconds": 120,
    "AuditMinimum": 0,
}
PARAMETERS = {
    "HumanBudget": "12",
    "SampleRate": "0.4",
    "RetrainMinimum": "4",
    "MaxRounds": "4",
    "AuditRate": "0",  # test_audited_batches.py has audits
    "AcceptPolicy": "target-quality",  # the others ask for more judge images than these batches have
    "TargetMeanIou": "0.8",
    "ReconcileMinutes": "59",  # tests call it themselves
    "LabelingTimeoutSeconds": "900",
    "AdvancedSettings": json.dumps(ADVANCED),
}


def roles_seen_first(folder: str, drawn: Sequence[Picture], labelled: int | None, before: Tally) -> Counter[str]:
    """How many of each role (train, judge) there are, with those `before`, when people have seen the pictures that they
    see first, or with the first `labelled` pictures where labels are supplied.
    """
    seed, wanted, items, hashes = int(ADVANCED["Seed"]), int(ADVANCED["JudgeImages"]), [], {}
    for each in drawn:
        key, etag = folder + each.name, hashlib.md5(each.body).hexdigest()
        items.append(InventoryItem(key, None, etag, len(each.body), draw(seed, key, etag), False, 0.0))
        hashes[key] = hashlib.sha256(each.body).hexdigest()
    least = fewest(int(ADVANCED["SampleMinimum"]), before.judges, wanted)
    items = draw_sample(items, float(PARAMETERS["SampleRate"]), least)
    sampled = {hashes[item.key] for item in items if item.sampled}
    if labelled is None:
        first = max(int(PARAMETERS["HumanBudget"]), len(sampled))
        items = sorted(items, key=lambda item: item.draw)[:first]
    seen = {hashes[item.key] for item in items[:labelled]}
    # One of the supplied labels may be malformed, and then one more of the sample is not labelled.
    judging = set() if labelled is not None and len(sampled - seen) + 1 >= wanted else seen & sampled
    found, after = roles(in_role_order(judging, seed), before, wanted)
    return Counter(judge=after.judges, train=len(seen - judging) + list(found.values()).count("train"))
