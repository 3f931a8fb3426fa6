"""Regular expressions of the AWS service models (Java dialect), compiled for Python."""

from __future__ import annotations

import functools
import re
import warnings

# Inside a character class. Letters, numbers and space separators are exact enough with \w, \d, \s ("_" and tabs pass as
# well); marks, symbols and punctuation together with letters mean "any printable character".
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{M}": "\u0300-\u036f\ufe00-\ufe0f",
    r"\p{S}": r"\W",
    r"\p{P}": r"\W",
    r"\p{Print}": r"\x20-\x7e",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{Alpha}": "a-zA-Z",
}


@functools.cache
def compile_java(pattern: str) -> re.Pattern[str] | None:
    """Compiled equivalent to be used with fullmatch (the services match whole values); None when not translatable."""
    text = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff").replace(r"\z", r"\Z")
    for java, python in _CLASSES.items():
        text = _substitute(text, java, python)
    text = re.sub(r"\$\{1,(\d+)\}$", "$", text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(text)
    except re.error:
        return None


def _substitute(text: str, java: str, python: str) -> str:
    """Replace a Java class by a Python one, adding brackets where it stands outside a character class."""
    parts, inside, position = [], False, 0
    while position < len(text):
        if text.startswith(java, position):
            parts.append(python if inside else f"[{python}]")
            position += len(java)
            continue
        character = text[position]
        if character == "\\":
            parts.append(text[position : position + 2])
            position += 2
            continue
        if character == "[":
            inside = True
        elif character == "]":
            inside = False
        parts.append(character)
        position += 1
    return "".join(parts)
