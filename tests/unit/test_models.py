"""Model versions, where their thresholds lie, and the pointer to the champion."""

import pytest
from labelloop.contracts.errors import TransientError
from labelloop.engines import models
from labelloop.store import storage

pytestmark = pytest.mark.usefixtures("aws")


def test_the_next_model_has_one_more_than_the_highest_number_that_exists() -> None:
    assert models.next_number() == 1
    for version in ("v000002-0123abcd", "v000010-0123abcd", "v000009-0123abcd"):
        storage.write(f"models/{version}/card.json", b"{}")
    storage.write("models/champion", b"{}")
    storage.write("models/vendor/weights.pt", b"what somebody else put there")
    assert models.next_number() == 11


def test_thresholds_of_one_model_for_two_datasets_are_two_files() -> None:
    fitted = [models.thresholds_key("v000001-0123abcd", dataset) for dataset in ("v000004-89abcdef", "")]
    assert fitted == [f"models/v000001-0123abcd/thresholds/{name}.json" for name in ("v000004-89abcdef", "none")]


def test_what_a_model_was_trained_from_stands_in_its_card() -> None:
    storage.write_json("models/v000001-0123abcd/card.json", {"start": "random"})
    storage.write_json("models/v000002-0123abcd/card.json", {})
    assert [models.start_of(f"v00000{number}-0123abcd") for number in (1, 2, 3)] == ["random", "", ""]
    assert models.start_of("") == ""


def test_a_champion_that_moved_meanwhile_is_not_replaced() -> None:
    assert models.champion() is None
    models.flip(None, {"version": "v000001-0123abcd"})
    seen = models.champion()
    models.flip(seen, {"version": "v000002-0123abcd"})
    with pytest.raises(TransientError, match="moved meanwhile"):
        models.flip(seen, {"version": "v000003-0123abcd"})
    assert models.champion().value["version"] == "v000002-0123abcd"
