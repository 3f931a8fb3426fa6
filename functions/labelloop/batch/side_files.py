"""Files that lie among the pictures of a batch and are none: a rule by name, as nothing is opened before it is pinned.

Pure. They do not count, are not sampled, and the report names them. What the rule does not know is taken for a picture
and looked at: a picture with a strange name or none of the usual endings is labelled, and a file named `.jpg` that is
not a picture is rejected with a reason. A marker that names its files means those, whatever they are called.
"""

from __future__ import annotations

import re

from labelloop.contracts.naming import READY

FOLDER, MARKER, SYSTEM, HIDDEN = "folder", "marker", "file of an operating system or tool", "hidden file"
TEXT, CHECKSUM, ARCHIVE, OFFICE = "text or label file", "checksum", "archive", "office file"
MEDIA, DATA, UNFINISHED, BACKUP = "video or sound", "data, model or program", "unfinished download", "backup"

_PICTURES = re.compile(
    r"(?s).*\.(avif|bmp|dib|dng|gif|heic|heif|jfif|jp2|jpe|jpeg|jpg|jxl|pbm|pgm|png|ppm|tif|tiff|webp)"
)
_TEXTS = re.compile(
    r".*\.(aae|cfg|conf|css|csv|geojson|gpx|html?|ini|ipynb|js|jsonl?|kml|log|lst|manifest|md|names|ndjson|pbtxt|prj)"
    r"|.*\.(prototxt|rst|srt|toml|tsv|txt|url|vtt|wld|[jpt][fgp]w|xml|xmp|ya?ml)"
    r"|authors|changelog|citation|copying|licen[cs]e|makefile|notice|readme"
)
_CHECKSUMS = re.compile(
    r".*\.(asc|crc|crc32|md5|sfv|sha1|sha224|sha256|sha384|sha512|sig)|(md5|sha1|sha224|sha256|sha384|sha512|check)sums?"
)
# Folders that a listing of their own system does not show: of tools, thumbnails, versions and deleted files.
_FOLDERS = re.compile(
    r"(?!\.\.$)[.@].+|#recycle|#snapshot|\$recycle\.bin|recycler|__macosx|__pycache__|lost\+found|node_modules"
    r"|system volume information"
)
_SYSTEM = re.compile(
    r"\._.*|.*zone\.identifier|desktop\.ini|(ehthumbs|ehthumbs_vista|thumbs)\.db|icon\r|picasa\.ini"
    r"|_success|_(committed|started)_\d+"
)
# That of a picture may be the only one there is, and is looked at.
_BACKUPS = re.compile(r"(.+)\.(?:backup|bak|bck|old|orig|swo|swp)|(.+)~")
_OTHERS = {
    CHECKSUM: _CHECKSUMS,
    TEXT: _TEXTS,
    ARCHIVE: re.compile(r".*\.(7z|bz2|cab|dmg|gz|iso|jar|kmz|lz4|lzma|rar|tar|tbz2?|tgz|txz|whl|xz|zip|zst)"),
    OFFICE: re.compile(r"~\$.*|.*\.(docx?|docm|numbers|od[pst]|pages|pdf|pptx?|pptm|rtf|xls[bmx]?)"),
    MEDIA: re.compile(
        r".*\.(3gp|aac|avi|flac|flv|insv|lrv|m2ts|m4[av]|mkv|mov|mp3|mp4|mpe?g|mts|og[gv]|thm|vob|wav|webm|wmv)"
    ),
    DATA: re.compile(
        r".*\.(arrow|bat|ckpt|db|dll|engine|exe|feather|h5|hdf5|joblib|keras|lnk|mat|mdb|mlmodel|np[yz]|onnx|parquet|pb)"
        r"|.*\.(pickle|pkl|pt|pth|py|pyc|safetensors|sh|so|sqlite3?|tflite|tfrecords?|weights)"
    ),
    UNFINISHED: re.compile(r".*\.(aria2|crdownload|download|filepart|opdownload|part|partial|te?mp)"),
}


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
    backup = _BACKUPS.fullmatch(plain)
    if backup:
        return "" if _PICTURES.fullmatch(backup[1] or backup[2]) else BACKUP
    return next((named for named, endings in _OTHERS.items() if endings.fullmatch(plain)), "")


def misspelt_marker(name: str) -> bool:
    """Whether somebody meant a marker and S3, where letter case matters, has another name."""
    last = name.rpartition("/")[2]
    return last != READY and last.casefold() == READY.casefold()
