"""A GPU instance whose container sees no GPU fails at start; the host's driver fits the CUDA of the container."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# NVIDIA's minimum driver of a CUDA major release (CUDA Toolkit release notes, minor version compatibility), and
# SageMaker's images as botocore's documentation of ProductionVariant.InferenceAmiVersion lists them.
DRIVER_OF_CUDA = {11: 450, 12: 525, 13: 580}
DRIVER_OF_IMAGE = {
    "al2-ami-sagemaker-inference-gpu-2": 535,
    "al2-ami-sagemaker-inference-gpu-2-1": 535,
    "al2-ami-sagemaker-inference-gpu-3-1": 550,
    "al2023-ami-sagemaker-inference-gpu-4-1": 580,
}
CUDA_OF_TORCH = {"2.13.0": 13}  # of the package index's wheels


class Loader(yaml.SafeLoader):
    """The template's short forms are of no interest here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)


CUDA_13 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


def torch(
    monkeypatch,
    available: bool,
    cuda: str | None = "13.0",
    capability: tuple[int, int] = (7, 5),
    built: list[str] = CUDA_13,
    count: int = 1,
) -> None:
    found = SimpleNamespace(
        is_available=lambda: available,
        get_device_name=lambda _: "Tesla T4",
        get_device_capability=lambda _: capability,
        get_arch_list=lambda: built,
        device_count=lambda: count,
    )
    fake = SimpleNamespace(__version__="2.13.0", cuda=found, version=SimpleNamespace(cuda=cuda))
    monkeypatch.setitem(sys.modules, "torch", fake)


@pytest.mark.fault("H16")
@pytest.mark.parametrize(
    "instance", ["ml.g4dn.xlarge", "ml.g5.2xlarge", "ml.g6e.xlarge", "ml.p3.2xlarge", "ml.p5.48xlarge"]
)
def test_a_gpu_instance_without_a_cuda_device_is_refused_with_what_to_do(monkeypatch, instance) -> None:
    import devices

    torch(monkeypatch, available=False)
    with pytest.raises(devices.NoGpuError, match=r"sees no CUDA device.*InferenceAmiVersion"):
        devices.check(instance)
    torch(monkeypatch, available=True)
    assert "running on Tesla T4" in devices.check(instance)


@pytest.mark.parametrize("instance", ["", "ml.c5.xlarge", "ml.m7i.large", "ml.r5.large", "ml.t2.medium"])
def test_elsewhere_the_cpu_is_used_and_torch_is_not_even_loaded(monkeypatch, instance) -> None:
    import devices

    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would fail
    assert "running on the CPU" in devices.check(instance)


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((7, 0), CUDA_13, False),  # V100 of ml.p3: CUDA 13 has no code for it
        ((3, 7), CUDA_13, False),  # K80 of ml.p2
        ((7, 5), CUDA_13, True),
        ((8, 9), CUDA_13, True),  # code for 8.6 runs on 8.9
        ((9, 0), ["sm_90a"], True),
        ((12, 1), ["sm_100", "compute_120"], True),  # compiled when it is loaded
        ((8, 0), ["sm_86"], False),
        ((7, 0), ["sm_70", "sm_75"], True),  # a torch of an older CUDA
        ((7, 0), [], True),  # nobody knows
    ],
)
def test_a_gpu_that_this_torch_has_no_code_for_is_refused_at_start(monkeypatch, capability, built, runs) -> None:
    """torch sees the device all the same; every request would end with "no kernel image is available"."""
    import devices

    torch(monkeypatch, available=True, capability=capability, built=built)
    if runs:
        assert "running on" in devices.check("ml.p3.2xlarge")
    else:
        with pytest.raises(devices.NoGpuError, match=r"has no code for it.*docs/gpu\.md"):
            devices.check("ml.p3.2xlarge")


def test_gpus_that_are_paid_for_and_not_used_are_told(monkeypatch) -> None:
    import devices

    torch(monkeypatch, available=True, count=4)
    assert "3 of its GPUs are not used: a type with one does the same" in devices.check("ml.g5.12xlarge")
    torch(monkeypatch, available=True)
    assert "not used" not in devices.check("ml.g5.xlarge")


@pytest.mark.parametrize("instance", ["ml.c7g.xlarge", "ml.m6gd.large", "ml.r8g.xlarge", "ml.p6e-gb200.36xlarge"])
@pytest.mark.parametrize("name", ["INFERENCE", "TRAINING"])
def test_an_arm_type_is_refused_at_deployment_unless_the_image_is_ones_own(environment, instance, name) -> None:
    from labelloop.contracts.settings import MissingSettingError, Settings
    from made_up_stack import SETTINGS

    wanted = {**SETTINGS, f"{name}_INSTANCE_TYPE": instance, f"{name}_IMAGE": ""}
    with pytest.raises(MissingSettingError, match=rf"{name}_INSTANCE_TYPE is {instance}, .* x86-64"):
        Settings.from_environment(wanted)
    Settings.from_environment({**wanted, f"{name}_IMAGE": "an-image"})
    Settings.from_environment({**wanted, f"{name}_INSTANCE_TYPE": "ml.g6e.xlarge"})


@pytest.mark.parametrize("instance", ["ml.inf2.xlarge", "ml.trn1.2xlarge", "ml.dl1.24xlarge"])
def test_an_accelerator_that_the_container_cannot_use_is_refused_there_and_at_deployment(environment, instance) -> None:
    import devices
    from labelloop.contracts.settings import MissingSettingError, Settings
    from made_up_stack import SETTINGS

    with pytest.raises(devices.NoGpuError, match="no NVIDIA GPU"):
        devices.check(instance)
    with pytest.raises(MissingSettingError, match="accelerator the container cannot use"):
        Settings.from_environment({**SETTINGS, "INFERENCE_INSTANCE_TYPE": instance})


def test_the_default_host_image_has_the_driver_that_the_containers_cuda_needs() -> None:
    from labelloop.contracts.advanced import DEFAULTS

    image = DEFAULTS["INFERENCE_AMI_VERSION"]
    pinned = re.search(r"^torch==(\S+)", (ROOT / "containers/yolo/requirements.txt").read_text(), re.M)
    assert pinned and image in DRIVER_OF_IMAGE, "without one, asynchronous ml.g4dn has driver 470"
    assert DRIVER_OF_IMAGE[image] >= DRIVER_OF_CUDA[CUDA_OF_TORCH[pinned[1]]]


@pytest.mark.parametrize(("instance", "sent"), [("ml.g4dn.xlarge", True), ("ml.c5.xlarge", False)])
def test_an_endpoint_says_which_machine_it_is_and_gpu_hosts_get_their_image(
    environment, fake_service, instance, sent
) -> None:
    from labelloop.contracts.settings import Settings
    from labelloop.engines import endpoints
    from made_up_stack import SETTINGS

    sagemaker = fake_service("sagemaker")
    settings = Settings.from_environment({**SETTINGS, "INFERENCE_INSTANCE_TYPE": instance})
    endpoints.create("labelloop-v000001-aa", "v000001-aa", "an-image", settings)
    (model,) = sagemaker.requests_of("create_model")
    assert model["PrimaryContainer"]["Environment"]["INSTANCE_TYPE"] == instance
    (config,) = sagemaker.requests_of("create_endpoint_config")
    assert ("InferenceAmiVersion" in config["ProductionVariants"][0]) is sent


# --- the image itself


def test_the_base_image_is_not_docker_hubs() -> None:
    dockerfile = (ROOT / "containers/yolo/Dockerfile").read_text()
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.M)
    assert base and base[1].startswith("public.ecr.aws/")


def test_tags_never_move_and_no_rule_expires_an_image_that_something_may_name() -> None:
    repository = TEMPLATE["Resources"]["Repository"]["Properties"]
    assert repository.get("ImageTagMutability") == "IMMUTABLE" and "LifecyclePolicy" not in repository
    build = TEMPLATE["Resources"]["ImageBuild"]["Properties"]["Source"]["BuildSpec"]
    assert ":latest" not in build and "imageDigest" in build and "images/current" in build
