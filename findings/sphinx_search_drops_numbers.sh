#!/usr/bin/env bash
# A site made by Sphinx finds no number: who searches for 429 is told that nothing is there.
#
# The word is dropped twice: when the index is built, and again from what somebody types. "4xx" stays. A heading is found by its number only where the number is half of the heading.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv && venv/bin/pip install --quiet sphinx==9.0.4
mkdir pages && echo 'project = "shop"' > pages/conf.py
printf 'Limits\n======\n\nThe service answers 429 to a crowd; 4xx is known.\n' > pages/index.rst
venv/bin/python -m sphinx --version
venv/bin/python -m sphinx -q -b html pages site
venv/bin/python - <<'PYTHON'
import json, pathlib

index = pathlib.Path("site/searchindex.js").read_text()
terms = json.loads(index[len("Search.setIndex("):-1])["terms"]
found = {word: word in terms for word in ("crowd", "4xx", "429")}
print(found)
typed = 'queryTerm.match(/^\\d+$/)' in pathlib.Path("site/_static/searchtools.js").read_text()
print("a number that is typed is dropped as well:", typed)
assert found == {"crowd": True, "4xx": True, "429": False} and typed
PYTHON
# Seen:
#   sphinx-build 9.0.4
#   {'crowd': True, '4xx': True, '429': False}
#   a number that is typed is dropped as well: True
