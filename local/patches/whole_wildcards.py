"""A `*` in a policy stands for any characters, as on AWS. MiniStack's stops at a line feed, which a key may hold.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re

from ministack.core import iam_evaluator

from local.patches.hooks import original


def apply() -> None:
    compiled = original(iam_evaluator, "_fnmatch_compile", "pattern", "ignore_case")

    def over_line_ends(pattern: str, ignore_case: bool) -> re.Pattern[str]:
        found: re.Pattern[str] = compiled(pattern, ignore_case)
        return re.compile(rf"{found.pattern.removesuffix('$')}\Z", found.flags | re.DOTALL)

    iam_evaluator._fnmatch_compile = over_line_ends
