"""A labelled set as benchmarks take it."""

from made_up_photographs import made_set


def test_pictures_and_truth_are_those_of_the_coco_file(tmp_path):
    pictures = made_set(tmp_path, 3)
    assert pictures.classes == ("cell", "plate")
    assert sorted(pictures.truths) == [f"s3://zoo/{number:02d}.jpg" for number in range(3)]
    second = pictures.truths["s3://zoo/01.jpg"]
    assert (second.width, second.height, second.human) == (64, 48, True)
    assert [(box.label, box.left, box.width) for box in second.boxes] == [("cell", 5, 20), ("plate", 10, 20)]
