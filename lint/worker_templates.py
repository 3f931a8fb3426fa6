"""Worker templates (Liquid and crowd HTML elements): no value of a task can become markup, and Ground Truth takes them.

Contract: sms-custom-templates-step2. Ground Truth escapes every value unless `skip_autoescape` says otherwise; the
filter `escape` is asked for all the same, because not every renderer does. Only a signed address must not be escaped
twice: `&amp;amp;` breaks its signature.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from lint.project import Finding, Project

FOLDER = "functions/labelloop/worker_ui"
ENDINGS = ("escape", "escape_once", "grant_read_access")
PRINTING_TAG = re.compile(r"\{%-?\s*(echo|cycle|liquid)\b")
OPENED_BY_TEXT = re.compile(r"<(/?[A-Za-z][^\s/>]*)|\{\{")
IN_TAG = re.compile(r"[\"'>]|\{\{")


def check(project: Project) -> list[Finding]:
    paths = sorted((project.root / FOLDER).glob("*.html"))
    if not paths:
        return [Finding(FOLDER, "holds no worker template: people would have no page")]
    return [Finding(f"{path.name}:{line}", what) for path in paths for line, what in _template(path)]


def _template(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    for tag in ("<crowd-form", "</crowd-form>"):
        if len(re.findall(rf"{tag}\b" if tag.endswith("m") else tag, text)) != 1:
            yield 1, f"needs exactly one {tag.rstrip('>')}>: without it Ground Truth refuses the template"
    for match in re.finditer(r"skip_autoescape", text):
        yield _line(text, match.start()), "skip_autoescape lets a file name or label become markup: leave it out"
    for match in PRINTING_TAG.finditer(text):
        yield _line(text, match.start()), f"the tag {match[1]} prints what this lint does not look at: use {{{{ }}}}"
    for start, expression, place in _outputs(text):
        escaped = expression.split("|")[-1].strip() in ENDINGS
        if place == "attribute" and not escaped:
            yield _line(text, start), f"{expression.strip()} stands in an attribute: end it with | escape"
        elif place == "tag":
            yield _line(text, start), f"{expression.strip()} stands in a tag without quotes around it"
        elif place == "script":
            yield _line(text, start), f"{expression.strip()} stands in a script or style: no escaping is right there"
        elif not escaped:
            yield _line(text, start), f"{expression.strip()} is shown as it is: end it with | escape"


def _outputs(text: str) -> Iterator[tuple[int, str, str]]:
    """(start, expression, place) of every {{ }}; place is attribute, tag (no quotes), script or text."""
    # Liquid's own tags and comments may hold quotes and brackets; blanked, everything keeps its place.
    text = re.sub(r"\{%.*?%\}", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S)
    position, place, tag = 0, "text", ""
    while match := _next(text, position, place, tag):
        position, found = match.end(), match[0]
        if found == "{{":
            end = text.find("}}", position)
            end = len(text) if end < 0 else end
            yield match.start(), text[position:end], "attribute" if place in "\"'" else place
            position = end + 2
        elif place == "text":
            place, tag = "tag", match[1].lower()
        elif place == "script":
            place = "text"
        elif place == "tag" and found == ">":
            place = "script" if tag in ("script", "style") else "text"
        else:
            place = "tag" if place in "\"'" else found


def _next(text: str, position: int, place: str, tag: str) -> re.Match[str] | None:
    if place == "text":
        return OPENED_BY_TEXT.search(text, position)
    if place == "script":
        return re.compile(rf"</{tag}\s*>|\{{\{{", re.I).search(text, position)
    return IN_TAG.search(text, position) if place == "tag" else re.compile(rf"{place}|\{{\{{").search(text, position)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
