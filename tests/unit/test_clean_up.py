"""Clean Up, as CloudFormation calls it: nothing that costs money stays, and the deletion goes on."""

import clean_up
import pytest
from fake_service import refused
from handling import handle_event
from made_up_stack import SETTINGS

pytestmark = [pytest.mark.usefixtures("environment"), pytest.mark.filterwarnings("ignore:No application metrics")]
ENDPOINT, OTHER = "labelloop-v000001-0123abcd", "labelloop-v000002-0123abcd"
BUSY = refused("ValidationException", f'Cannot update in-progress endpoint "{ENDPOINT}".')
OURS = {"LabelingJobName": "labelloop-week-1-r1a1", "PreHumanTaskLambdaArn": SETTINGS["PRE_ANNOTATE_FUNCTION_ARN"]}


class Account:
    """What SageMaker holds of the stack: endpoints, of which each refuses to be deleted as often, and labelling
    jobs.
    """

    def __init__(self, fake_service) -> None:
        self.busy: dict[str, int] = {ENDPOINT: 0}
        self.jobs = [OURS]
        self.sagemaker = fake_service(
            "sagemaker",
            list_endpoints=lambda **_: {"Endpoints": [{"EndpointName": name} for name in self.busy]},
            list_training_jobs={"TrainingJobSummaries": []},
            list_labeling_jobs=lambda **given: {
                "LabelingJobSummaryList": self.jobs if given["StatusEquals"] == "InProgress" else []
            },
            delete_endpoint=self._delete,
        )
        fake_service("application-autoscaling")
        fake_service("cloudwatch")
        fake_service("cloudformation", describe_stacks={"Stacks": [{"StackStatus": "DELETE_IN_PROGRESS"}]})

    def _delete(self, EndpointName: str) -> dict:
        if self.busy[EndpointName]:
            self.busy[EndpointName] -= 1
            raise BUSY
        del self.busy[EndpointName]
        return {}

    def stopped(self) -> list[str]:
        return [request["LabelingJobName"] for request in self.sagemaker.requests_of("stop_labeling_job")]


@pytest.fixture
def account(fake_service) -> Account:
    return Account(fake_service)


@pytest.fixture
def delete(monkeypatch, cloudformation):
    """Deletes the resource; what CloudFormation was told."""
    monkeypatch.setattr(clean_up, "SECONDS_BETWEEN_LOOKS", 0, raising=False)

    def run() -> dict:
        event = {"RequestType": "Delete", "ResponseURL": "https://x", "StackId": "s", "RequestId": "r"}
        given = {"LogicalResourceId": "CleanUp", "ResourceProperties": {"ResourcePrefix": "labelloop"}}
        handle_event("clean_up", {**event, **given})
        return cloudformation[-1]

    return run


@pytest.mark.parametrize("refusals", [0, 1, 7])
def test_an_endpoint_that_is_being_made_or_scaled_is_removed_as_soon_as_that_can_be(account, delete, refusals) -> None:
    """SageMaker deletes no endpoint that is Creating or Updating; nobody would come again after the stack is gone."""
    account.busy = {ENDPOINT: refusals, OTHER: 0}
    assert delete()["Status"] == "SUCCESS" and account.busy == {}


def test_one_that_never_can_be_does_not_block_the_deletion_and_the_rest_goes(account, delete, monkeypatch) -> None:
    monkeypatch.setattr(clean_up, "SECONDS_KEPT_FOR_THE_ANSWER", 60, raising=False)  # all that a test's context has
    account.busy = {ENDPOINT: 10**9, OTHER: 0}
    assert delete()["Status"] == "SUCCESS" and set(account.busy) == {ENDPOINT}
    assert account.stopped() == [OURS["LabelingJobName"]]


def test_labelling_jobs_that_call_no_function_are_not_ours_and_keep_none_of_ours_running(account, delete) -> None:
    """Summaries have PreHumanTaskLambdaArn only where a job has one."""
    account.jobs = [{"LabelingJobName": "labelloop-of-somebody"}, OURS]
    assert delete()["Status"] == "SUCCESS" and account.stopped() == [OURS["LabelingJobName"]]


def test_where_the_bucket_was_deleted_first_what_costs_money_goes_all_the_same(account, delete, monkeypatch) -> None:
    from labelloop.contracts import settings

    def gone():
        raise refused("NoSuchBucket", "The specified bucket does not exist")

    monkeypatch.setattr(settings, "source", gone)
    settings.deployed.cache_clear()
    assert delete()["Status"] == "SUCCESS" and account.busy == {}
    assert account.stopped() == [OURS["LabelingJobName"]]
