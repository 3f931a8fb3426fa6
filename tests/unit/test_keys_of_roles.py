"""What a role allows is what its function does: every key that it reads or writes, and no file of another function.

`handle` has every unit test that runs a handler keep to the role (acting.py); what is asked here is the other side.
"""

import boto3
import pytest
from acting import ROOT, acting_as, may, used
from batch_rounds import merge, refs, run_round
from botocore.exceptions import ClientError
from handling import crown, handle, mark, predict, registered, upload
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import ledger
from made_up_stack import BUCKET

from lint.project import Project, all_states

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.mark.fault("J05")
@pytest.mark.usefixtures("aws", "ended_labeling_jobs")
def test_no_function_of_a_batch_may_write_what_another_one_writes(change_setting) -> None:
    change_setting("ACCEPT_POLICY", "fixed")
    used.clear()
    upload(6)
    batch = registered(mark())["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.95))
    run_round(batch, 1)
    merge(batch, 1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    written = {name: {key for action, key in calls if action == "s3:PutObject"} for name, calls in used.items()}
    writing = {name for name, keys in written.items() if keys}
    assert {"RegisterBatchFunction", "InspectImagesFunction", "BeginRoundFunction", "JudgeBatchFunction"} <= writing
    assert {"MergeAnnotationsFunction", "ReportBatchFunction"} <= writing
    for name in sorted(writing):
        foreign = set().union(*(keys for other, keys in written.items() if other != name)) - written[name]
        if (
            name == "CollectLabelsFunction"
        ):  # pins the jobs that adjust what people rejected beside those of Judge Batch
            foreign = {key for key in foreign if "/jobs/" not in key and not key.endswith(".manifest")}
        reachable = [key for key in sorted(foreign) if may(name, "s3:PutObject", key)]
        assert not reachable, f"{name} may write {reachable[0]}, which is another function's"
        assert all(may(name, "s3:PutObject", key) for key in written[name])


@pytest.mark.fault("J05")
@pytest.mark.parametrize("key", ["incoming/week 1/00.png", "models/champion", "datasets/current", "settings/0.json"])
def test_a_handler_that_wrote_elsewhere_would_be_denied(aws, key: str) -> None:
    """The tests of handlers would say so: they work as the role allows."""
    with acting_as("judge_batch"), pytest.raises(ClientError, match="JudgeBatchFunction may not s3:PutObject"):
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")


@pytest.mark.fault("I07")
@pytest.mark.parametrize(
    ("given", "pinned"), [("batch_id", "batches/b/settings.json"), ("job", "training/j/settings.json")]
)
def test_whoever_is_called_about_a_batch_or_a_training_may_read_the_settings_that_it_pinned(given, pinned) -> None:
    """A document that may not be read is taken for one that was deleted, and stops the execution."""
    payloads = [
        (str(state["Parameters"]["FunctionName"]).strip("${}").removesuffix("Arn"), state["Parameters"]["Payload"])
        for machine in Project(ROOT).machines
        for _, state in all_states(machine.definition)
        if "Payload" in state.get("Parameters", {})
    ]
    # As settings_documents.of_event: what names its batch goes by that, and its `job` is a number within it.
    about = {name: "batch_id" if "batch_id.$" in payload else "job" for name, payload in payloads if "job.$" in payload}
    about |= {name: "batch_id" for name, payload in payloads if "batch_id.$" in payload}
    asked = {name for name, kind in about.items() if kind == given}
    assert len(asked) > 5
    assert {name for name in asked if not may(name, "s3:GetObject", pinned)} == set()


@pytest.mark.usefixtures("aws")
def test_a_manifest_that_may_not_be_read_is_told_in_a_sentence() -> None:
    upload(1)
    batch = registered(mark(b'{"labels": "s3://data-bucket/somewhere/labels.json"}'))["batch"]["id"]
    boto3.client("s3").put_object(Bucket=BUCKET, Key="somewhere/labels.json", Body=b"{}")
    with pytest.raises(InvalidInputError, match=r"may not be read: put the manifest .* below incoming/"):
        handle("import_labels", batch_id=batch, labels_uri="s3://data-bucket/somewhere/labels.json")


@pytest.mark.fault("J05")
@pytest.mark.parametrize("function", ["ImportLabelsFunction", "AdoptModelFunction", "RegisterModelFunction"])
def test_what_takes_a_file_that_somebody_names_reads_such_files_and_no_others(function: str) -> None:
    taken = {"ImportLabelsFunction": "somewhere/labels.manifest"}.get(function, "somewhere/model.tar.gz")
    assert may(function, "s3:GetObject", taken)
    for key in (
        "builds/source.zip",
        "worker_ui/0.liquid.html",
        "labeling-jobs/labelloop-x.json",
        "somewhere/else.json",
    ):
        assert not may(function, "s3:GetObject", key), key
