#!/usr/bin/env bash
# Saving an AVIF with Pillow takes the orientation out of the caller's EXIF: the JPEG that is saved next lies on its side.
#
# The AVIF itself stands upright, as AVIF says the turn in a box of its own. JPEG, PNG, WebP and TIFF leave the object as it was, so it is the order of the saves that decides. Where it matters: a shop's pictures made in several formats from one original are captioned differently by format; give `exif.tobytes()`, or a fresh object to each save.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0
venv/bin/pip list 2>/dev/null | grep -iE '^pillow'
venv/bin/python - <<'PYTHON'
import io

from PIL import ExifTags, Image, ImageOps


def shown(form, exif):
    file = io.BytesIO()
    Image.new("RGB", (64, 32), "navy").save(file, form, exif=exif)
    file.seek(0)
    with Image.open(file) as picture:
        return ImageOps.exif_transpose(picture).size


def in_turn(*forms):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees
    sizes = {form: shown(form, exif) for form in forms}
    print(f"{sizes}, the caller's orientation afterwards: {exif.get(ExifTags.Base.Orientation)}")
    return list(sizes.values())


assert in_turn("JPEG", "PNG", "WEBP", "TIFF", "AVIF") == [(32, 64)] * 5
assert in_turn("AVIF", "JPEG", "PNG", "WEBP", "TIFF") == [(32, 64)] + [(64, 32)] * 4
PYTHON
# Seen:
#   pillow     13.0.0
#   {'JPEG': (32, 64), 'PNG': (32, 64), 'WEBP': (32, 64), 'TIFF': (32, 64), 'AVIF': (32, 64)}, the caller's orientation afterwards: None
#   {'AVIF': (32, 64), 'JPEG': (64, 32), 'PNG': (64, 32), 'WEBP': (64, 32), 'TIFF': (64, 32)}, the caller's orientation afterwards: None
