"""The loop replayed on what models saw: what is accepted, what it costs, and the tables that tell it."""

import pytest
from made_up_seen import seen

from bench import replay
from bench.replay import Batch
from bench.unseen import Unseen

SHARP = seen("coco-060-1", 200, 0.95)
UNSEEN = Unseen(SHARP.predictions, SHARP.truths)


def test_what_is_not_accepted_is_labelled_by_people_and_audits_are_paid_as_labels():
    made = replay.batch(UNSEEN, 60, "certified", 0.5, 1)
    assert made.accepted > 0.3 and made.mean is not None and made.mean > 0.5 and not made.contradicted
    audited = round((made.people - (1 - made.accepted)) * 260)
    assert audited == replay.AUDIT_MINIMUM
    assert made.saving == pytest.approx(made.accepted - replay.AUDIT_MINIMUM / 260)
    assert replay.batch(UNSEEN, 60, "certified", 0.5, 1) == made, "the same every time"


def test_a_target_beyond_reach_accepts_nothing_and_saves_nothing():
    assert replay.batch(UNSEEN, 60, "certified", 0.99, 1) == Batch(0.0, 1.0, None, False)


def test_a_summary_counts_the_batches_that_miss_their_target():
    batches = [Batch(0.4, 0.65, 0.7, False), Batch(0.2, 0.85, 0.5, False), Batch(0.0, 1.0, None, True)]
    assert replay.summary(batches, 0.6) == ("0.20 [0.00, 0.40]", "0.60", "0.33", "+0.17", "0.33")


def test_every_table_has_its_rows():
    models = [SHARP, seen("coco-020-1", 200, 0.6)]
    made = dict(replay.tables(models, ["certified", "target-quality"], [0.5, 0.9], 2))
    assert [len(rows) for rows in made.values()] == [3, 5, 9, 3]
    assert all(len(row) == len(rows[0]) for rows in made.values() for row in rows)
    text = replay.markdown(next(iter(made.values())))
    assert text.splitlines()[1].startswith("| --- | --- |") and "coco-020-1" in text
