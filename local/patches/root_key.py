"""Root's key is a key like any other: it has a secret, and a request without its signature is nobody's.

MiniStack takes the id `test`, the id in its own environment, every twelve digits and no id at all for root, believes
them without a signature, and lets unsigned requests do everything in S3.
"""

from __future__ import annotations

from ministack.core import iam_evaluator
from ministack.services import sts

from local.keys import Key
from local.patches.hooks import original


def apply(key: Key, account: str) -> None:
    original(iam_evaluator, "is_root_access_key", "access_key_id")
    assert sts.is_root_access_key is iam_evaluator.is_root_access_key, "sts asks elsewhere who is root"

    def nobody_is_root_without_a_signature(access_key_id: str) -> bool:
        return False

    iam_evaluator.is_root_access_key = nobody_is_root_without_a_signature
    sts.is_root_access_key = nobody_is_root_without_a_signature
    root = {"Arn": f"arn:aws:iam::{account}:root", "UserId": account, "PrincipalType": "Root"}
    sts.register_session(key.id, {**root, "SecretAccessKey": key.secret})
