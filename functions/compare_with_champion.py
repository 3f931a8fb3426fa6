"""Compare With Champion: the gate. Challenger and champion meet image by image on the same judge images."""

from dataclasses import asdict
from typing import Any

from labelloop import engines
from labelloop.contracts import naming, predictions
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.settings import settings
from labelloop.engines import models, training
from labelloop.engines.training import Scores
from labelloop.store import storage
from labelloop.store.observability import count, entry, logger
from labelloop.trust import promotion
from labelloop.trust.promotion import Contender, GateSettings


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    knobs, engine, job, champion = settings(), engines.trainer(), event["job"], event["champion"]
    scores = engine.scores(event["output_uri"])
    judges = training.read_truths(event["dataset_uri"])
    _, description = engine.model(event["model_uri"])
    version = models.version(models.next_number(), description)
    verdict = promotion.compare(
        _contender("challenger", version, scores, judges),
        _contender("champion", champion, scores, judges) if champion else None,
        judges,
        GateSettings(
            knobs.judge_minimum,
            knobs.first_model_map50,
            knobs.promotion_tolerance,
            LabelRule(knobs.keep_confidence),
            knobs.seed,
            knobs.gate_rule,
            knobs.skeleton,
        ),
    )
    for name, scored in scores.predictions.items():
        storage.write_lines(
            f"{training.folder(job)}/scores/{name}.jsonl", [prediction.to_json() for prediction in scored]
        )
    comparison = {
        "challenger": version,
        "champion": champion,
        "judge_version": event["dataset_uri"],
        **asdict(verdict),
        "metrics": scores.metrics,
    }
    count("ChallengerBetter" if verdict.better else "ChallengerNotBetter")
    logger.info("challenger compared", better=verdict.better, reason=verdict.reason)
    return {
        "better": verdict.better,
        "reason": verdict.reason,
        "model_version": version,
        "comparison_uri": storage.write_json(f"{training.folder(job)}/comparison.json", comparison),
    }


def _contender(name: str, version: str, scores: Scores, judges: list[Annotation]) -> Contender:
    """The judge version is what the model was really scored on: models that saw different images do not compare. A
    prediction that does not fit its image is none, and the gate fails closed.
    """
    scored = predictions.against_truths(scores.of(name), judges, settings().vocabulary)
    scored_on = naming.digest(*sorted(prediction.source_ref for prediction in scored))
    return Contender(version, scored_on, scored, scores.map50(name))
