"""Which container image trains and serves."""

import pytest


@pytest.mark.usefixtures("aws")
def test_jobs_and_endpoints_name_the_digest_that_was_built_and_models_keep_theirs(change_setting, fake_service) -> None:
    from handling import MODEL, execution, handle
    from labelloop.engines import container_images
    from labelloop.store import immutable, storage

    change_setting("TRAINING_IMAGE", "")
    change_setting("INFERENCE_IMAGE", "")
    with pytest.raises(Exception, match=r"no container image was built yet.*BuildImage"):
        container_images.resolve("")
    storage.write_json("images/current", {"image": "repo@sha256:aaa", "tag": "1"})
    sagemaker = fake_service("sagemaker", describe_endpoint={"EndpointStatus": "Creating"})
    given = {"job": "labelloop-train-1-0123abcd", "champion": "", "dataset_uri": "s3://b/d/", "images_uri": "s3://b/i"}
    waits = {"task_token": "t", "execution": execution("t", "TRAIN_MODEL_ARN"), "timeout_seconds": 600}
    handle("train_challenger", **given, **waits)
    (request,) = sagemaker.requests_of("create_training_job")
    assert request["AlgorithmSpecification"]["TrainingImage"] == "repo@sha256:aaa"

    immutable.create(f"models/{MODEL}/model.tar.gz", b"archive")
    immutable.create_json(f"models/{MODEL}/card.json", {"version": MODEL, "image": "repo@sha256:aaa"})
    storage.write_json("images/current", {"image": "repo@sha256:bbb", "tag": "2"})
    handle("deploy_model", model_version=MODEL, **{**waits, "task_token": "u"})
    (model,) = sagemaker.requests_of("create_model")
    assert model["PrimaryContainer"]["Image"] == "repo@sha256:aaa", "what it was registered with"
