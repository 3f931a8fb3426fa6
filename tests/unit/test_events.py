"""Events and notices are read as what anybody may have sent."""

import pytest
from labelloop.contracts.errors import InvalidInputError
from labelloop.work import outside


@pytest.mark.parametrize(
    ("event", "work"),
    [
        (
            {
                "detail-type": "SageMaker Ground Truth Labeling Job State Change",
                "resources": ["arn:aws:sagemaker:us-east-1:123456789012:labeling-job/labelloop-b-r1a1"],
            },
            ("labeling", "labelloop-b-r1a1"),
        ),
        (
            {"detail-type": "SageMaker Training Job State Change", "detail": {"TrainingJobName": "t1"}},
            ("training", "t1"),
        ),
        ({"detail-type": "SageMaker Endpoint State Change", "detail": {"EndpointName": "e1"}}, ("deployment", "e1")),
    ],
)
def test_an_event_names_the_work_that_changed(event, work) -> None:
    assert outside.changed(event) == work


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"detail-type": "Something Else"},
        {"detail-type": "SageMaker Training Job State Change", "detail": {"TrainingJobName": 7}},
        {"detail-type": "SageMaker Ground Truth Labeling Job State Change", "resources": []},
    ],
    ids=repr,
)
def test_an_event_that_names_no_work_is_refused_in_words(event) -> None:
    with pytest.raises(InvalidInputError, match="the event cannot be read"):
        outside.changed(event)
