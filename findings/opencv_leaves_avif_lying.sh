#!/usr/bin/env bash
# OpenCV turns a JPEG, PNG and WebP upright as they are read, but not an AVIF.
#
# `cv2.imread` follows the EXIF orientation, so one trusts it with a telephone's pictures. An AVIF says its turn in a property of its own, which OpenCV leaves alone; libvips follows it. Where it matters: a shop's AVIFs that a pipeline reads with OpenCV reach the model on their side; open them with Pillow and `ImageOps.exif_transpose`, or upload the file as this package's `--convert` makes it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pillow==13.0.0 opencv-python-headless==5.0.0.93 pyvips-binary==8.18.7 pyvips==3.2.0
venv/bin/pip list 2>/dev/null | grep -iE '^(pillow|opencv-python-headless|pyvips) '
venv/bin/python - <<'PYTHON'
import cv2
import pyvips
from PIL import ExifTags, Image, ImageOps

seen = {}
for form in ("jpeg", "png", "webp", "avif"):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees
    path = f"lying.{form}"
    Image.new("RGB", (64, 32), "navy").save(path, exif=exif)
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).size
    turned = pyvips.Image.new_from_file(path).autorot()
    height, width = cv2.imread(path).shape[:2]
    seen[form] = (width, height)
    print(f"{form}: Pillow {upright}, libvips {turned.width, turned.height}, OpenCV {width, height}")
    assert upright == (turned.width, turned.height) == (32, 64)
assert seen.pop("avif") == (64, 32)
assert set(seen.values()) == {(32, 64)}
PYTHON
# Seen:
#   opencv-python-headless 5.0.0.93
#   pillow                 13.0.0
#   pyvips                 3.2.0
#   jpeg: Pillow (32, 64), libvips (32, 64), OpenCV (32, 64)
#   png: Pillow (32, 64), libvips (32, 64), OpenCV (32, 64)
#   webp: Pillow (32, 64), libvips (32, 64), OpenCV (32, 64)
#   avif: Pillow (32, 64), libvips (32, 64), OpenCV (64, 32)
