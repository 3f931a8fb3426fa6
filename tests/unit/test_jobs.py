"""A round's images are cut into as few labelling jobs as hold them."""

from hypothesis import given
from hypothesis import strategies as st
from labelloop.people.jobs import parts


@given(st.integers(0, 300), st.integers(1, 70))
def test_every_image_is_in_one_job_in_order_and_no_job_is_too_large_or_much_smaller(images, most) -> None:
    lines = [{"source-ref": str(number)} for number in range(images)]
    cut = parts(lines, most)
    assert [line for part in cut for line in part] == lines
    assert len(cut) == -(-images // most)
    sizes = [len(part) for part in cut]
    assert all(0 < size <= most for size in sizes) and max(sizes, default=0) - min(sizes, default=0) <= 1
