"""A round's images are cut into as few labelling jobs as hold them, and some of them are asked about twice."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.settings import settings
from labelloop.people.jobs import parts, seats
from made_up_stack import BUCKET


@given(st.integers(0, 300), st.integers(1, 70))
def test_every_image_is_in_one_job_in_order_and_no_job_is_too_large_or_much_smaller(images, most) -> None:
    lines = [{"source-ref": str(number)} for number in range(images)]
    cut = parts(lines, most)
    assert [line for part in cut for line in part] == lines
    assert len(cut) == -(-images // most)
    sizes = [len(part) for part in cut]
    assert all(0 < size <= most for size in sizes) and max(sizes, default=0) - min(sizes, default=0) <= 1


@pytest.mark.parametrize("kind", ["annotate", "adjust"])
def test_a_share_of_the_images_is_for_two_people_and_none_is_lost(aws, kind) -> None:
    for images, rate in itertools.product((0, 1, 7, 60), (0.0, 0.1, 0.34, 1.0)):
        lines = [{"source-ref": f"s3://{BUCKET}/incoming/{number}.png"} for number in range(images)]
        knobs = replace(settings(), double_label_rate=rate, workers_per_object=1)
        (one, once), (two, twice) = seats(lines, kind, knobs)
        assert (one, two) == (0, 2) and len(twice) == math.ceil(rate * images - 1e-9)
        assert [line for line in lines if line in once] == list(once)
        assert sorted(map(str, [*once, *twice])) == sorted(map(str, lines))
        assert seats(lines[::-1], kind, knobs)[1][1] == list(twice)[::-1], "a hash chooses, not the order"
        assert seats(lines, "verify", knobs) == [(0, lines)]
        assert seats(lines, kind, replace(knobs, workers_per_object=3)) == [(0, lines)]
