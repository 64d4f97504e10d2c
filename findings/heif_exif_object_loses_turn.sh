#!/usr/bin/env bash
# pillow-heif keeps a picture's turn if its EXIF is given as bytes, and loses it if given as Pillow's own object.
#
# `exif=picture.getexif()` is how Pillow's other formats take it, and each of them keeps the orientation. The tag stands in the HEIC's EXIF either way, but a HEIC is turned by a property of its own, which only the bytes become. Where it matters: a telephone's portrait that such a program saved as HEIC is captioned lying down, by this package's `--convert` too; `exif.tobytes()` keeps it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0 pillow-heif==1.8.1
venv/bin/pip list 2>/dev/null | grep -iE '^pillow'
venv/bin/python - <<'PYTHON'
import io

import pillow_heif
from PIL import ExifTags, Image, ImageOps

pillow_heif.register_heif_opener()
lying = Image.new("RGB", (64, 32), "navy")
seen = {}
for form in ("JPEG", "PNG", "WEBP", "HEIF"):
    for kind in ("object", "bytes"):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees
        file = io.BytesIO()
        lying.save(file, form, exif=exif if kind == "object" else exif.tobytes())
        file.seek(0)
        with Image.open(file) as picture:
            seen[form, kind] = ImageOps.exif_transpose(picture).size
        print(f"{form}, EXIF as {kind}: shown as {seen[form, kind]}")
assert seen.pop(("HEIF", "object")) == (64, 32)
assert set(seen.values()) == {(32, 64)}
PYTHON
# Seen:
#   pillow      13.0.0
#   pillow_heif 1.8.1
#   JPEG, EXIF as object: shown as (32, 64)
#   JPEG, EXIF as bytes: shown as (32, 64)
#   PNG, EXIF as object: shown as (32, 64)
#   PNG, EXIF as bytes: shown as (32, 64)
#   WEBP, EXIF as object: shown as (32, 64)
#   WEBP, EXIF as bytes: shown as (32, 64)
#   HEIF, EXIF as object: shown as (64, 32)
#   HEIF, EXIF as bytes: shown as (32, 64)
