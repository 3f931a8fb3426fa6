"""Files that are not pictures to us, by their name: whoever uploads them is told what to do."""

from __future__ import annotations

READ = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_EXPORT = "export or convert it to JPEG or PNG"
_BRANDS = {
    "a raw photograph (CR3)": (b"crx ",),
    "AVIF": (b"avif", b"avis"),
    "HEIC": (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
        *(b"miaf", b"mif2", b"1pic", b"MiHE", b"avci", b"jpeg"),
    ),
}
_PHONES = "set the phone to 'Most Compatible', or convert it to JPEG"
_STARTS = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"II\xbc\x01": "JPEG XR",
    b"%PDF": "PDF",
    b"%!PS": "EPS or PostScript",
    b"8BPS": "Photoshop (PSD)",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"FUJIFILMCCD-RAW": "a raw photograph (RAF)",
    b"IIU\0": "a raw photograph (RW2)",
    b"IIRO": "a raw photograph (ORF)",
    b"IIRS": "a raw photograph (ORF)",
    b"MMOR": "a raw photograph (ORF)",
    b"\0\0\x01\0": "an icon (ICO)",
    b"\x93NUMPY": "a NumPy array",
    b"\x1aE\xdf\xa3": "a video (Matroska or WebM)",
    b"FLV\x01": "a video (FLV)",
    b"\0\0\x01\xba": "a video (MPEG)",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x89HDF\r\n": "HDF5",
    b"<svg": "SVG",
    b"<!DOCTYPE svg": "SVG",
}


def name_of(data: bytes) -> str | None:
    """What a file is that no reader of ours knows; None where that cannot be told."""
    if data[4:8] == b"ftyp":
        brands = {data[at : at + 4] for at in (8, *range(16, min(int.from_bytes(data[:4]), 256), 4))}
        # Both HEIC and AVIF may call themselves a HEIF picture (mif1) first and tell the kind only behind that.
        return next((name for name, known in _BRANDS.items() if brands & {*known}), "a video (MP4 or MOV)")
    if data[128:132] == b"DICM":
        return "DICOM"
    if data[:4] == b"RIFF":
        return "a video (AVI)" if data[8:12] == b"AVI " else "a sound (WAV)" if data[8:12] == b"WAVE" else None
    text = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<?xml") and b"<svg" in text:
        return "SVG"
    if text[:20].lower().startswith((b"<html", b"<!doctype html")):
        return "a web page"
    if text.startswith((b"<?xml", b"<Error>")) and b"<Error>" in text and b"<Code>" in text:
        return "an error message of S3, saved in the place of an image"
    return next((name for start, name in _STARTS.items() if data.startswith(start) or text.startswith(start)), None)


def refusal(data: bytes) -> str:
    """One sentence for people."""
    known, name = ", ".join(READ), name_of(data)
    if name is None:
        return f"the bytes are none of {known}"
    what = (
        _PHONES
        if name in ("HEIC", "AVIF")
        else f"take single frames out of it as {known}"
        if "video" in name
        else _EXPORT
    )
    if "archive" in name:
        what = "unpack it and upload the images"
    if "error message" in name:
        what = "fetch the image again and upload that"
    return f"it is {name}, whatever its name ends with; only {known} are read: {what}"
