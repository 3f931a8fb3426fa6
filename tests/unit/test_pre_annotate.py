"""Pre Annotate: a page gets its line, by the settings of the batch whose job it is."""

import pytest
from batch_rounds import refs
from handling import handle, registered, upload
from labelloop.contracts.errors import InvalidInputError
from labelloop.people.task_input import task_input
from made_up_stack import arn
from pre_labels import BOXES_STACK, boxes_line

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_the_handler_answers_with_the_documented_names(aws) -> None:
    job = arn("sagemaker", "labeling-job/x")
    answer = handle("pre_annotate", version="2018-10-16", labelingJobArn=job, dataObject=boxes_line())
    assert answer == {"taskInput": task_input(boxes_line(), BOXES_STACK), "isHumanAnnotationRequired": True}
    with pytest.raises(InvalidInputError, match="dataObject"):
        handle("pre_annotate", version="2018-10-16", labelingJobArn=job)


def test_what_a_function_of_a_job_is_asked_goes_by_the_batch_of_the_job(change_setting) -> None:
    upload(3)
    batch = registered()["batch"]["id"]
    from labelloop.store import settings_documents

    settings_documents.note_labeling_job("labelloop-x-r1a1", batch, "s3://data-bucket/batches/b/labeling/1/j.manifest")
    change_setting("CLASSES", "cat")
    job = "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/labelloop-x-r1a1"
    line = {"source-ref": refs(batch)[0]}
    shown = handle("pre_annotate", version="2018-10-16", labelingJobArn=job, dataObject=line)
    assert shown["taskInput"]["labels"] == ["head", "bag"]
    other = handle("pre_annotate", version="2018-10-16", labelingJobArn=job + "-other", dataObject=line)
    assert other["taskInput"]["labels"] == ["cat"], "a job that nobody noted, as of version 0.1"
