"""What the processor is good at, told by what it is and never by a stopwatch: the same machine computes the same bytes.

bfloat16 convolutions are worth it with AMX (Intel from Sapphire Rapids on) and on AMD from family 26 (Zen 5) on: there
1.5 to 2 times single precision. AMD's family 25 (Zen 4) lists avx512_bf16, too, and was measured at half of it.
"""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

PRECISION = "PRECISION"  # of a container: "fp32" or "bf16", in the place of what is told here
FIRST_FAST_AMD_FAMILY = 26
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
CPU_INFO = Path("/proc/cpuinfo")


def computes_in_bfloat16(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether convolutions on this CPU run at bfloat16."""
    asked = environment.get(PRECISION, "")
    return asked == "bf16" if asked in ("bf16", "fp32") else has_fast_bfloat16(_cpu_info())


def has_fast_bfloat16(cpu_info: str) -> bool:
    """By /proc/cpuinfo's first processor."""
    facts = dict(re.findall(r"^([^\t:]+)\t*: (.*)$", cpu_info.partition("\n\n")[0], re.MULTILINE))
    flags = facts.get("flags", "").split()
    if "amx_bf16" in flags:
        return True
    is_new_amd = facts.get("vendor_id") == "AuthenticAMD" and int(facts.get("cpu family", 0)) >= FIRST_FAST_AMD_FAMILY
    return is_new_amd and "avx512_bf16" in flags


def _cpu_info() -> str:
    if platform.machine() != "x86_64" or not CPU_INFO.exists():
        return ""
    return CPU_INFO.read_text("utf-8", "replace")
