"""What stands before every folder of tests, whichever of them pytest imports first."""

import os

from tests.unit.made_up_stack import PLATFORM

# Powertools reads its names once, when labelloop.store.observability is imported, by whichever test that may be.
os.environ.update(PLATFORM)
# What the container computes is compared with single precision; some processors would take bfloat16.
os.environ.setdefault("PRECISION", "fp32")
