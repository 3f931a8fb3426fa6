import pytest
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.label_names import LONGEST_NAME, check_names


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["head", "bag", "head"], "parameter Classes lists 'head' more than once"),
        (["a" * (LONGEST_NAME + 1)], "parameter Classes has a name of 65 characters, at most 64"),
        (["bag", "a\nb"], "parameter Classes has a name with a control character"),
    ],
)
def test_names_whose_labels_could_not_be_read_back_are_refused(names, said) -> None:
    with pytest.raises(InvalidInputError, match=said):
        check_names(names, "parameter Classes")


def test_other_names_are_taken() -> None:
    check_names(["Gehäuse", "😀", "a" * LONGEST_NAME, "nose (occluded)", "it's"], "parameter Classes")
