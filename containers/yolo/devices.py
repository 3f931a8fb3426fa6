"""A GPU that is paid for must be used: on a GPU instance a container without CUDA fails at start, with a sentence."""

import re
from typing import Any

GPU_FAMILIES = ("ml.g", "ml.p")
FOREIGN_FAMILIES = ("ml.inf", "ml.trn", "ml.dl")


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

    if torch.cuda.is_available() and _has_code(torch):
        unused = torch.cuda.device_count() - 1
        return f"running on {torch.cuda.get_device_name(0)} ({instance_type}), CUDA {torch.version.cuda}" + (
            f"; {unused} of its GPUs are not used: a type with one does the same" if unused else ""
        )
    if torch.cuda.is_available():
        raise NoGpuError(
            f"{instance_type} has a {torch.cuda.get_device_name(0)}, and torch {torch.__version__} (for CUDA "
            f"{torch.version.cuda}) has no code for it: choose a type with a newer GPU, such as ml.g4dn or ml.g5, or "
            "build the image with a torch of an older CUDA (docs/gpu.md)"
        )
    raise NoGpuError(
        f"{instance_type} has a GPU, but torch {torch.__version__} (for CUDA {torch.version.cuda or 'none'}) sees "
        "no CUDA device: the host's driver is older than that CUDA needs. For endpoints, set InferenceAmiVersion in "
        "AdvancedSettings to a host image with a newer driver; for both, build the image with a torch of the driver's "
        "CUDA (docs/gpu.md), or choose a CPU instance type"
    )


def _has_code(torch: Any) -> bool:
    """Compiled code runs on its own major version from its minor one on; `compute` is compiled when it is loaded."""
    major, minor = torch.cuda.get_device_capability(0)
    built = [
        (kind, int(number)) for kind, number in re.findall(r"(sm|compute)_(\d+)", " ".join(torch.cuda.get_arch_list()))
    ]
    return not built or any(
        number <= 10 * major + minor and (kind == "compute" or number // 10 == major) for kind, number in built
    )
