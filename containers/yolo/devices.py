"""A GPU that is paid for must be used: on a GPU instance a container without CUDA fails at start, with a sentence."""

GPU_FAMILIES = ("ml.g", "ml.p")
FOREIGN_FAMILIES = ("ml.inf", "ml.trn")


class NoGpuError(RuntimeError):
    """The instance has a GPU, or another accelerator, that this container cannot use."""


def check(instance_type: str) -> str:
    """What the work runs on, as a sentence. `instance_type` is SageMaker's, empty where nobody told.

    Raises NoGpuError where the instance costs more than this container can use.
    """
    if instance_type.startswith(FOREIGN_FAMILIES):
        raise NoGpuError(f"{instance_type} has no NVIDIA GPU: this container runs on ml.g*, ml.p* and CPU instances")
    if not instance_type.startswith(GPU_FAMILIES):
        return f"running on the CPU of {instance_type or 'an unnamed machine'}"
    import torch  # slow, and only needed here

    if torch.cuda.is_available():
        return f"running on {torch.cuda.get_device_name(0)} ({instance_type}), CUDA {torch.version.cuda}"
    raise NoGpuError(
        f"{instance_type} has a GPU, but torch {torch.__version__} (for CUDA {torch.version.cuda or 'none'}) sees "
        "no CUDA device: the host's driver is older than that CUDA needs. For endpoints, set InferenceAmiVersion to a "
        "host image with a newer driver; for both, build the image with a torch of the driver's CUDA (docs/gpu.md), or "
        "choose a CPU instance type"
    )
