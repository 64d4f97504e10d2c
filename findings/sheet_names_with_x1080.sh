#!/usr/bin/env bash
# A picture's name such as banner_x1080_v2.jpg changes by which library wrote the sheet and which one reads it.
#
# A workbook spells characters that XML cannot hold as `_xHHHH_`, so `_x1080_` in a name has to be written as `_x005F_x1080_`. XlsxWriter does so; openpyxl undoes it in a workbook's shared texts only, not in the inline ones that XlsxWriter writes with `constant_memory`. openpyxl itself writes names as they are, and python-calamine then decodes what is below U+0100: `_x0064_` becomes a `d`. No pair of these warns. Where it matters: a path or URL in a catalog's sheet may be one that no file has; name pictures `-1080-` or hand over CSV or Parquet.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet xlsxwriter==3.3.1 openpyxl==3.1.5 python-calamine==0.9.1
venv/bin/pip list 2>/dev/null | grep -iE '^(xlsxwriter|openpyxl|python-calamine) '
venv/bin/python - <<'PYTHON'
import openpyxl
import python_calamine
import xlsxwriter

NAMES = ["banner_x1080_v2.jpg", "icon_x0064_v2.png"]


def with_xlsxwriter(path, **options):
    book = xlsxwriter.Workbook(path, options)
    sheet = book.add_worksheet()
    for row, name in enumerate(NAMES):
        sheet.write_string(row, 0, name)
    book.close()


def with_openpyxl(path):
    book = openpyxl.Workbook()
    for name in NAMES:
        book.active.append([name])
    book.save(path)


def by_openpyxl(path):
    return [row[0] for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]


def by_calamine(path):
    return [row[0] for row in python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()]


with_xlsxwriter("shared.xlsx")
with_xlsxwriter("inline.xlsx", constant_memory=True)
with_openpyxl("openpyxl.xlsx")
wanted = {
    "shared.xlsx": (NAMES, NAMES),
    "inline.xlsx": (["banner_x005F_x1080_v2.jpg", "icon_x005F_x0064_v2.png"], NAMES),
    "openpyxl.xlsx": (NAMES, ["banner_x1080_v2.jpg", "icondv2.png"]),
}
for path, expected in wanted.items():
    read = by_openpyxl(path), by_calamine(path)
    print(f"{path}: openpyxl reads {read[0]}, calamine {read[1]}")
    assert read == expected
PYTHON
# Seen:
#   openpyxl        3.1.5
#   python-calamine 0.9.1
#   xlsxwriter      3.3.1
#   shared.xlsx: openpyxl reads ['banner_x1080_v2.jpg', 'icon_x0064_v2.png'], calamine ['banner_x1080_v2.jpg', 'icon_x0064_v2.png']
#   inline.xlsx: openpyxl reads ['banner_x005F_x1080_v2.jpg', 'icon_x005F_x0064_v2.png'], calamine ['banner_x1080_v2.jpg', 'icon_x0064_v2.png']
#   openpyxl.xlsx: openpyxl reads ['banner_x1080_v2.jpg', 'icon_x0064_v2.png'], calamine ['banner_x1080_v2.jpg', 'icondv2.png']
