"""Where a batch keeps its files."""

import pytest
from labelloop.contracts.layout import Files

FILES = Files("week-1-0123abcd")


def test_names_that_images_got_in_a_later_round_are_told_from_those_of_this_one_and_of_shards() -> None:
    assert [FILES.moved_later(FILES.moved(number), 9) for number in (1, 9, 10, 11)] == [False, False, True, True]
    assert not FILES.moved_later(FILES.inspected("inspect-zzzz"), 1), "a shard"


def test_names_of_a_later_round_come_behind_those_of_every_shard_and_earlier_round() -> None:
    keys = [FILES.inspected("inspect-ffff"), *(FILES.moved(number) for number in (1, 9, 10, 100))]
    assert keys == sorted(keys) and all(key.startswith(FILES.inspections) for key in keys)


@pytest.mark.parametrize("name", ["answers", "workers", "job_manifest"])
def test_what_belongs_to_one_job_is_apart_from_other_jobs_and_rounds(name) -> None:
    place = getattr(FILES, name)
    places = {place(number, job) for number in (1, 2) for job in ("j1", "j2")}
    assert len(places) == 4 and all(key.startswith(f"{FILES.root}/labeling/") for key in places)
