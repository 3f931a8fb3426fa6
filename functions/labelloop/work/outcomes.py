"""Asks the truth about outside work: the object in S3, or Describe. Events are hints; callbacks and the reconciler
both ask here.
"""

from labelloop.engines import endpoints, training
from labelloop.people import labeling
from labelloop.store.callbacks import Callback, Outcome


def of(callback: Callback) -> Outcome | None:
    """None while the work is going on."""
    match callback.kind:
        case "inference":
            return endpoints.answered(callback)
        case "labeling":
            return labeling.ended(callback.external_id)
        case "training":
            return training.ended(callback.external_id)
        case "deployment":
            return endpoints.ended(callback.external_id)
    raise ValueError(f"unknown kind of callback: {callback.id}")
