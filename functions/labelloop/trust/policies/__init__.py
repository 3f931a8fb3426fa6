"""By which rule a model's labels stand without a person: one module for each policy, and the look-up by name."""

from __future__ import annotations

from labelloop.contracts.errors import InvalidInputError
from labelloop.trust.policies.certified import Certified
from labelloop.trust.policies.fixed import Fixed
from labelloop.trust.policies.port import Fitted as Fitted
from labelloop.trust.policies.port import Policy as Policy
from labelloop.trust.policies.port import Rule as Rule
from labelloop.trust.policies.strict import Strict
from labelloop.trust.policies.target_quality import TargetQuality

_KNOWN: dict[str, Policy] = {policy.name: policy for policy in (Certified(), Strict(), TargetQuality(), Fixed())}


def of(name: str) -> Policy:
    """The policy of this name. Raises InvalidInputError for one that this version of the stack does not know."""
    if name not in _KNOWN:
        raise InvalidInputError(
            f"accept policy '{name}' is none of {', '.join(_KNOWN)}: if a newer version of the stack began this, "
            "deploy that version again"
        )
    return _KNOWN[name]
