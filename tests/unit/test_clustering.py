import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.tasks import clustering

from tests.support import strategies

drawn = st.dictionaries(st.sampled_from("abc"), strategies.boxes(max_size=4), min_size=1)


def itself(box: Box) -> Box:
    return box


@given(drawn)
def test_every_mark_is_in_one_cluster_and_a_worker_at_most_once_in_each(boxes) -> None:
    clusters = clustering.same_objects(boxes, itself)
    found = sorted((worker, repr(box)) for cluster in clusters for worker, box in cluster.items())
    assert found == sorted((worker, repr(box)) for worker, listed in boxes.items() for box in listed)


def test_marks_are_clustered_by_the_boxes_they_are_asked_for() -> None:
    places = {"near": Box("", 0, 0, 10, 10), "same": Box("", 1, 0, 10, 10), "far": Box("", 50, 50, 10, 10)}
    clusters = clustering.same_objects({"a": ["near", "far"], "b": ["same"]}, places.__getitem__)
    assert {tuple(cluster.items()) for cluster in clusters} == {(("a", "near"), ("b", "same")), (("a", "far"),)}


def test_what_fewer_than_about_half_of_the_weight_drew_is_not_kept() -> None:
    image = {"a": ["x", "y"], "b": ["x"], "c": ["x"]}
    clusters = [{"a": "x", "b": "x", "c": "x"}, {"a": "y"}]
    weights = {"a": 0.4, "b": 0.3, "c": 0.3}
    assert [(place, round(share, 6)) for place, _, share in clustering.kept(image, clusters, weights)] == [(0, 1.0)]
    assert len(list(clustering.kept(image, clusters, {**weights, "a": 0.6}))) == 2


def test_who_draws_what_others_draw_weighs_more() -> None:
    images = [{"a": ["x"], "b": ["x"], "c": ["z"]}] * 30
    clusters = [[{"a": "x", "b": "x"}, {"c": "z"}]] * 30
    weights = clustering.weights_of(images, clusters, dict.fromkeys("abc", 0.7))
    assert weights["a"] == pytest.approx(weights["b"]) and weights["c"] < weights["a"] / 2


def test_more_overlapping_boxes_than_people_draw_are_refused() -> None:
    crowd = [Box("head", 0, 0, 100, 100)] * 400
    with pytest.raises(InvalidInputError, match="over 100,000 pairs"):
        clustering.same_objects({"a": crowd, "b": crowd}, itself)
