"""GIF, WEBP and BMP files: what is known of them before a decoder sees them."""

import pytest
from labelloop.pictures.pixels import RejectedImage, canonicalise

from tests.support.costly_pictures import run_length_bmp


@pytest.mark.fault("J03")
def test_a_small_run_length_bmp_is_read_and_a_large_one_is_refused_in_words() -> None:
    canonical = canonicalise(run_length_bmp(0))
    assert (canonical.width, canonical.height) == (4_096, 64)
    with pytest.raises(RejectedImage, match=r"run-length.*save it as PNG"):
        canonicalise(run_length_bmp(5_000_000))
