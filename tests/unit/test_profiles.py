"""A colour profile never costs more time or memory than it is worth."""

import struct

import pytest


@pytest.mark.fault("J03")
@pytest.mark.parametrize("broken", ["tags beyond the end", "overlapping tags", "a table larger than its tag"])
def test_a_profile_that_cannot_be_what_it_says_is_none(broken: str) -> None:
    from labelloop.pictures import profiles

    from tests.support.odd_headers import lying_profile

    profile = bytearray(lying_profile(False))
    assert profiles.bounded(bytes(profile)) == profile
    (count,) = struct.unpack_from(">I", profile, 128)
    if broken == "tags beyond the end":
        struct.pack_into(">I", profile, 128, 1_000_000)
    elif broken == "overlapping tags":
        for number in range(count):
            struct.pack_into(">II", profile, 136 + 12 * number, 128 + number, len(profile) - 128 - number)
    else:
        (start,) = struct.unpack_from(">I", profile, 136)
        profile[start : start + 11] = b"mft2\0\0\0\0\x0f\x03\xff"
    assert profiles.bounded(bytes(profile)) is None
