"""Worker templates (Liquid and crowd HTML elements): no value of a task can become markup, and Ground Truth takes them.

Contract: sms-custom-templates-step2. Ground Truth escapes every value unless `skip_autoescape` says otherwise; the
filter `escape` is asked for all the same, because not every renderer does. Only a signed address must not be escaped
twice: `&amp;amp;` breaks its signature. Where escaping does not help (scripts, handlers, addresses) no value may stand.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from lint.project import Finding, Project

FOLDER = "functions/labelloop/people/worker_ui"
CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
ESCAPES = ("escape", "escape_once")
GRANT = "grant_read_access"
PRINTING_TAG = re.compile(r"\{%-?\s*(echo|cycle|liquid|include|render|tablerow|increment|decrement|raw)\b")
ADDRESSES = (
    "action",
    "background",
    "cite",
    "data",
    "formaction",
    "href",
    "ping",
    "poster",
    "src",
    "srcset",
    "xlink:href",
)
# Elements that browsers read by rules of their own, or that reach beyond the form.
FOREIGN = (
    *(
        "base",
        "embed",
        "form",
        "frameset",
        "iframe",
        "link",
        "math",
        "meta",
        "noembed",
        "noframes",
        "noscript",
        "object",
    ),
    *("plaintext", "select", "style", "svg", "template", "textarea", "title", "xmp"),
)
MARK = re.compile("\ue000(\\d+)\ue001")
ATTRIBUTE = re.compile(r"""[^\s=>"'/]+\s*=\s*("[^"]*"|'[^']*')""")


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
    yield from _page(text)


def _page(text: str) -> Iterator[tuple[int, str]]:
    """What stands where. Liquid's own tags may hold quotes and brackets; blanked, everything keeps its line."""
    text = re.sub(r"\{%.*?%\}", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S)
    outputs: list[tuple[int, str]] = []

    def mark(match: re.Match[str]) -> str:
        outputs.append((_line(text, match.start()), " ".join(match[1].split())))
        return f"\ue000{len(outputs) - 1}\ue001" + "\n" * match[0].count("\n")

    page = _Page()
    page.feed(re.sub(r"\{\{-?(.*?)-?\}\}", mark, text, flags=re.S))
    if not page.rawdata.startswith("<"):  # else a tag that does not end: what stands in it was not seen
        page.close()
    yield from page.found
    for number, (line, expression) in enumerate(outputs):
        wrong = _wrong(expression, page.places.get(number, "nowhere"))
        if wrong:
            yield line, f"{expression} {wrong}"


def _wrong(expression: str, place: str) -> str | None:
    *before, last = (part.strip() for part in re.sub(r"\"[^\"]*\"|'[^']*'", "", expression).split("|"))
    names = [part.partition(":")[0].strip() for part in before]
    if place == "nowhere":
        return "stands in a comment or in a tag that does not end"
    if place == "script":
        return "stands in a script or style: no escaping is right there"
    if place == "tag":
        return "stands in a tag without quotes around it"
    if place == "address":
        return None if last == GRANT else f"is an address (javascript: is one, too): only | {GRANT} may fill it, alone"
    if last not in ESCAPES:
        return f"{'stands in an attribute' if place == 'attribute' else 'is shown as it is'}: end it with | escape"
    return "goes on behind | escape, which can undo it: escape once, at the end" if set(names) & set(ESCAPES) else None


class _Page(HTMLParser):
    """places: number of an output -> text, attribute, address (nothing else in it), tag (no quotes) or script."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.places: dict[int, str] = {}
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        quoted = set(MARK.findall("".join(ATTRIBUTE.findall(raw))))
        for number in MARK.findall(raw):
            self.places[int(number)] = "attribute" if number in quoted else "tag"
        if tag in FOREIGN:
            self._say(f"<{tag}> has no place in a worker template: use the crowd elements and plain text")
        if tag == "script" and dict(attributes) != {"src": CROWD_SCRIPT}:
            self._say(f"runs a script of its own: only {CROWD_SCRIPT} may run on people's pages")
        for name, value in attributes:
            self._attribute(name, value or "")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_data(self, data: str) -> None:
        for number in MARK.findall(data):
            self.places[int(number)] = "script" if self.cdata_elem else "text"
        if self.cdata_elem and data.strip():
            self._say("has a script or style in the page: none runs there")

    def handle_comment(self, data: str) -> None:
        self._say("has an HTML comment, which browsers end in several ways: use {% comment %}")

    def handle_decl(self, decl: str) -> None:
        self.handle_comment(decl)

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)

    def _attribute(self, name: str, value: str) -> None:
        if name.startswith("on") or name in ("style", "srcdoc"):
            self._say(f"has the attribute {name}: what is in it would run, or is refused by the portal")
        if name not in ADDRESSES:
            return
        if re.match(r"[\s\x00-\x20]*(javascript|data|vbscript)[\s\x00-\x20]*:", value, re.I):
            self._say(f"has a script as its {name}")
        for number in MARK.findall(value):
            self.places[int(number)] = "address" if MARK.fullmatch(value) else "tag"

    def _say(self, what: str) -> None:
        self.found.append((self.getpos()[0], what))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
