"""Which processors compute at bfloat16: told by what they are, so that one machine always does the same."""

import paths  # noqa: F401  first: the container's modules
import processor
import pytest

AMD, INTEL = "AuthenticAMD", "GenuineIntel"


def cpu_info(vendor: str, family: int, flags: str) -> str:
    one = f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nflags\t\t: fpu {flags} sse\n"
    return f"{one}\n{one.replace(flags, 'amx_bf16')}"


@pytest.mark.parametrize(
    ("vendor", "family", "flags", "fast"),
    [
        (INTEL, 6, "avx512_bf16 amx_bf16", True),
        (INTEL, 6, "avx512_bf16", False),
        (AMD, 26, "avx512_bf16", True),
        (AMD, 26, "avx2", False),
        (AMD, 25, "avx512_bf16", False),
    ],
)
def test_amx_and_amd_from_zen_5_on(vendor, family, flags, fast) -> None:
    assert processor.has_fast_bfloat16(cpu_info(vendor, family, flags)) is fast


def test_what_is_no_x86_or_tells_nothing_computes_at_single_precision(monkeypatch, tmp_path) -> None:
    assert processor.has_fast_bfloat16("") is False
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "none")
    assert processor.computes_in_bfloat16({}) is False


def test_the_environment_decides_where_it_says(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(cpu_info(AMD, 26, "avx512_bf16"))
    said = [processor.computes_in_bfloat16({"PRECISION": asked}) for asked in ("", "fp32", "bf16")]
    assert said == [True, False, True]
    (tmp_path / "cpuinfo").write_text("")
    assert processor.computes_in_bfloat16({"PRECISION": "bf16"}) is True
