"""Files that lie among the pictures of a batch and are none: a rule by name, because nothing is opened before it is
pinned.

Pure. They do not count, are not sampled, and are told by name. What the rule does not know is taken for a picture and
looked at: a picture with a strange name or none of the usual endings is labelled, and a file named `.jpg` that is no
picture is rejected with a reason. A marker that names its files means those, whatever they are called.
"""

from __future__ import annotations

import re

from labelloop.naming import READY

FOLDER, MARKER, SYSTEM, HIDDEN = "folder", "marker", "file of an operating system or tool", "hidden file"
TEXT, CHECKSUM = "text or label file", "checksum"

_PICTURES = re.compile(r".*\.(avif|bmp|dib|dng|gif|heic|heif|jfif|jp2|jpe|jpeg|jpg|jxl|pbm|pgm|png|ppm|tif|tiff|webp)")
_TEXTS = re.compile(
    r".*\.(aae|cfg|conf|csv|geojson|html?|ini|jsonl?|log|manifest|md|names|ndjson|rst|toml|tsv|txt|xml|xmp|ya?ml)"
    r"|authors|changelog|citation|copying|licen[cs]e|makefile|notice|readme"
)
_CHECKSUMS = re.compile(
    r".*\.(asc|crc|crc32|md5|sfv|sha1|sha224|sha256|sha384|sha512|sig)|(md5|sha1|sha224|sha256|sha384|sha512|check)sums?"
)
_FOLDERS = re.compile(
    r"\.(appledouble|cache|documentrevisions-v100|fseventsd|git|github|hg|idea|ipynb_checkpoints|spotlight-v100|svn)"
    r"|\.(temporaryitems|thumbnails|trash|trashes|trash-\d+|vscode)|#recycle|\$recycle\.bin|@eadir|__macosx|__pycache__"
)
_SYSTEM = re.compile(
    r"\._.*|desktop\.ini|(ehthumbs|ehthumbs_vista|thumbs)\.db|icon\r|picasa\.ini|_success|_(committed|started)_\d+"
)


def kind(name: str) -> str:
    """What this file beside the pictures is, by its `name` relative to the batch's prefix; empty where it may be one.

    Letter case does not matter.
    """
    *folders, last = name.split("/")
    plain = last.casefold()
    if not last or plain.endswith("_$folder$"):
        return FOLDER
    if plain == READY.casefold():
        return MARKER
    if _SYSTEM.fullmatch(plain) or any(_FOLDERS.fullmatch(folder.casefold()) for folder in folders):
        return SYSTEM
    if _PICTURES.fullmatch(plain):
        return ""
    if plain.startswith(".") and plain not in (".", ".."):
        return HIDDEN
    if _CHECKSUMS.fullmatch(plain):
        return CHECKSUM
    return TEXT if _TEXTS.fullmatch(plain) else ""


def misspelt_marker(name: str) -> bool:
    """Whether somebody meant a marker and S3, where letter case matters, has another name."""
    last = name.rpartition("/")[2]
    return last != READY and last.casefold() == READY.casefold()
