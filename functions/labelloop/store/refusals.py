"""Why S3 does not hand out one object: archived, encrypted with a key that may not be used, denied by a policy.

Such an object costs itself, not those beside it. What S3 says of the object's own state is true of it alone. A denial
may be meant for one object or for all of them, and a role that lost its rights must not reject a batch: it counts for
the object only where the same role can read another one (`storage.any_readable`, or the rest of a shard).
Throttling, outages and lost connections are none of these: whoever meets them asks again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, FlexibleChecksumError

INACCESSIBLE = "inaccessible"
_ARCHIVED = frozenset(["InvalidObjectState", "ObjectNotInActiveTierError"])  # of a read, and of a copy
_CUSTOMER_KEY = "Server Side Encryption"  # InvalidRequest: who stored it kept the key (SSE-C)
_DENIED = frozenset(["AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403"])
MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
# A version that is a delete marker is not an object: what S3 says of it in a read, and in a look without a body.
_DELETE_MARKER = frozenset({"405", "MethodNotAllowed"})
_PASSES = ("Throttl", "Internal", "Timeout", "TimedOut")  # of the key service, too


class InaccessibleObjectError(Exception):
    """S3 has the object and does not hand it out; the text says why and what to do.

    `certain`: it is so for this object alone. Otherwise the same may be true of every object.
    """

    def __init__(self, text: str, certain: bool) -> None:
        super().__init__(text)
        self.certain = certain


def is_missing(error: ClientError) -> bool:
    """Whether the object, or the version of it that was asked for, is not there, however S3 words that."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", "")).lower()
    return (
        code in MISSING | _DELETE_MARKER
        or (code == "InvalidArgument" and "version id" in message)
        or (code == "InvalidRequest" and "delete marker" in message)  # of a copy
    )


@contextmanager
def reading(reference: str) -> Iterator[None]:
    """Raises InaccessibleObjectError in the place of S3's refusal to hand out this object; all else passes."""
    try:
        yield
    except (ClientError, FlexibleChecksumError) as error:
        refused = of(reference, error)
        if refused is None:
            raise
        raise refused from error


def of(reference: str, error: Exception) -> InaccessibleObjectError | None:
    """None where the error is something else: the object is not there, or the same call may succeed later."""
    if isinstance(error, FlexibleChecksumError):
        return InaccessibleObjectError(
            f"S3 hands out other bytes than it has a checksum for ({error}): upload {reference} again, then put the "
            "marker again",
            certain=False,
        )
    if not isinstance(error, ClientError):
        return None
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    words = f"S3 says {code}: {message.rstrip('.')}."
    if code in _ARCHIVED:
        return InaccessibleObjectError(
            f"{words} It is archived: restore it, copy it over itself (aws s3 cp '{reference}' '{reference}' "
            "--storage-class STANDARD --force-glacier-transfer), then put the marker again",
            certain=True,
        )
    if code == "InvalidRequest" and _CUSTOMER_KEY in message:
        return InaccessibleObjectError(
            f"{words} It is encrypted with a key that S3 does not have: upload {reference} without one, then put the "
            "marker again",
            certain=True,
        )
    if code in _DENIED or (code.startswith("KMS.") and not any(word in code for word in _PASSES)):
        return InaccessibleObjectError(
            f"{words} Let the roles of the stack read {reference} (its access rules, the bucket's policy, the KMS key "
            "it is encrypted with), upload it again, then put the marker again",
            certain=False,
        )
    return None
