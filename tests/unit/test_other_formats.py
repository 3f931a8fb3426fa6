"""A file that is no picture to us is called by its name, and whoever uploaded it is told what to do."""

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.pictures import other_formats
from labelloop.pictures.pixels import RejectedImage, canonicalise

from tests.support.odd_headers import encoded


def ftyp(brand: bytes, *compatible: bytes) -> bytes:
    box = b"ftyp" + brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(box) + 4) + box + b"\0\0\1\0mdat" + bytes(200)


def dng() -> bytes:
    data = bytearray(encoded("TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    end = first + 2 + 12 * count
    directory = data[first + 2 : end] + struct.pack("<HHI4B", 50706, 1, 4, 1, 4, 0, 0) + data[end : end + 4]
    struct.pack_into("<I", data, 4, len(data))
    return bytes(data + struct.pack("<H", count + 1) + directory)


FOREIGN = {
    "HEIC": [ftyp(b"heic", b"mif1"), ftyp(b"mif1", b"heic"), ftyp(b"heix"), ftyp(b"msf1"), ftyp(b"hevc")],
    "HEIC, whatever": [ftyp(brand) for brand in (b"miaf", b"mif2", b"1pic", b"MiHE", b"avci", b"jpeg")],
    "AVIF": [ftyp(b"avif", b"mif1"), ftyp(b"avis"), ftyp(b"mif1", b"avif", b"miaf"), ftyp(b"msf1", b"avis")],
    "error message of S3": [b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>"],
    "JPEG XL": [b"\xff\x0a" + bytes(90), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90)],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90), b"\xff\x4f\xff\x51" + bytes(90)],
    "PDF": [b"%PDF-1.7\n%..."],
    "SVG": [b"<svg xmlns='x'/>", b"<?xml version='1.0'?>\n<!-- c -->\n<svg>", b"\xef\xbb\xbf  <svg>"],
    "PSD": [b"8BPS\0\1" + bytes(90)],
    "OpenEXR": [b"v/1\x01\x02\0\0\0" + bytes(90)],
    "FITS": [b"SIMPLE  =                    T" + bytes(90)],
    "DICOM": [bytes(128) + b"DICM" + bytes(90)],
    "raw photograph": [ftyp(b"crx "), b"FUJIFILMCCD-RAW 0201" + bytes(90), b"IIRO" + bytes(90), dng()],
    "video": [ftyp(b"isom", b"mp42"), ftyp(b"qt  "), b"\x1aE\xdf\xa3" + bytes(90), b"RIFF\0\0\0\0AVI LIST"],
    "ZIP": [b"PK\x03\x04" + bytes(90)],
    "NumPy": [b"\x93NUMPY\x01\0" + bytes(90)],
    "web page": [b"<!DOCTYPE html><title>404</title>", b"<html></html>", b"<HTML></HTML>", b"<!DOCTYPE HTML PUBLIC>"],
}


@pytest.mark.fault("K05", "B14")
@pytest.mark.parametrize(("name", "data"), [(name, data) for name, all_of in FOREIGN.items() for data in all_of])
def test_a_file_of_another_kind_is_called_by_its_name_and_told_what_to_do(name, data):
    with pytest.raises(RejectedImage) as refusal:
        canonicalise(data)
    assert refusal.value.reason == "not-an-image"
    assert name in refusal.value.detail
    assert re.search("export|convert|unpack|fetch|take single frames", refusal.value.detail)


@pytest.mark.parametrize("image_format", other_formats.READ)
def test_a_format_that_is_read_is_called_by_no_other_name(image_format):
    assert other_formats.name_of(encoded(image_format)) is None


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (ftyp(b"heic"), "HEIC", "set the phone to 'Most Compatible'"),
        (ftyp(b"mif1", b"avif"), "AVIF", "set the phone to 'Most Compatible'"),
        (b"RIFF\0\0\0\0AVI LIST", "a video (AVI)", "take single frames out of it"),
        (b"\x1f\x8b\x08", "a gzip archive", "unpack it and upload the images"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "an error message of S3", "fetch the image again"),
        (b"\xef\xbb\xbf\n <svg>", "SVG", "export or convert it to JPEG or PNG"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a sound (WAV)", "export or convert it"),
    ],
)
def test_what_to_do_depends_on_what_the_file_is(data, name, what):
    assert other_formats.refusal(data).startswith(f"it is {name}")
    assert what in other_formats.refusal(data)


@given(st.binary(max_size=300))
def test_a_file_without_a_name_is_told_what_is_read(data):
    told = other_formats.refusal(data)
    assert all(name in told for name in other_formats.READ)
    assert told.startswith("the bytes are none of") == (other_formats.name_of(data) is None)
