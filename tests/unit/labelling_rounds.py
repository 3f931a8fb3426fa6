"""Takes the labelling jobs of a batch's first round from the judgement to what people answered."""

from collections.abc import Callable
from typing import Any

import people
from annotation_lines import CLASSES
from fake_service import FakeService
from handling import crown, handle, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.people import jobs
from labelloop.store import datasets, storage

SIZE = people.SIZE


def judged(images: int = 5, confidence: dict[int, float] | None = None) -> str:
    """A batch whose first round is judged; `confidence` is what the model thinks of the images by number."""
    upload(images)
    batch = registered()["batch"]["id"]
    if confidence is not None:
        crown()
        refs = [image.source_ref for image in batches.images(batch)]
        predict(batch, 1, {refs[number]: sure for number, sure in confidence.items()})
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    return batch


def pinned(batch: str, number: int = 1) -> list[jobs.Job]:
    return jobs.of_round(Files(batch), number)


def lines_of(job: jobs.Job) -> list[dict[str, Any]]:
    return storage.read_lines(storage.own_key(job.manifest_uri))


def end(batch: str, index: int, said) -> dict[str, Any]:
    """People answer a job, and what they answered is collected."""
    people.answer_job(batch, 1, jobs.find(Files(batch), 1, index), said)
    return handle("collect_labels", batch_id=batch, round=1, job=index)


def merged(batch: str) -> list[dict[str, Any]]:
    handle("merge_annotations", batch_id=batch, round=1)
    return storage.read_lines(Files(batch).round_annotations(1))


def judge_dataset(count: int = 6) -> None:
    lines = []
    for number in range(count):
        label = Annotation(
            storage.uri(f"incoming/older/{number}.png"),
            *(None, *SIZE, (Box("head", 5 + number, 6, 20, 20),), True, "2026-11-20T10:00:00", "job"),
            {"role": "judge", "batch": "older"},
        )
        lines.append(label.to_line(CLASSES))
    datasets.publish(lines, {})


def respond(batch: str, job: jobs.Job, answers: dict[str, dict[str, list[Box] | None]]) -> None:
    """Worker-response files as Ground Truth writes them; answers[worker][source-ref] = boxes drawn, None where the
    worker cannot judge the image.
    """
    for index, line in enumerate(lines_of(job)):
        entries = [
            {
                "workerId": worker,
                "timeSpentInSeconds": 7.5,
                "answerContent": {
                    "annotatedResult": {
                        "boundingBoxes": [
                            {"label": box.label, **{s: getattr(box, s) for s in ("left", "top", "width", "height")}}
                            for box in drawn[line["source-ref"]] or ()
                        ],
                        "inputImageProperties": {"width": SIZE[0], "height": SIZE[1]},
                    },
                    "cannot-judge": {"cannot-judge": drawn[line["source-ref"]] is None},
                },
            }
            for worker, drawn in answers.items()
        ]
        folder = f"{Files(batch).labeling(1)}/{job.name}/annotations/worker-response/iteration-1/{index}"
        storage.write_json(f"{folder}/2026-11-20_10:00:00.json", {"answers": entries})


def people_at_work(fake_service: Callable[..., FakeService], change_setting: Callable[[str, str], None]) -> FakeService:
    """A Ground Truth whose jobs have ended, for a budget that leaves no image out and a model that accepts none."""
    change_setting("HUMAN_BUDGET", "100")
    change_setting("ACCEPT_THRESHOLD", "1")
    fake_service("sns")
    return fake_service(
        "sagemaker", describe_labeling_job=people.ended(), describe_endpoint={"EndpointStatus": "InService"}
    )
