#!/usr/bin/env bash
# Ray Data reads and writes `output/`, but takes no `done/` beside it for its checkpoints, and does not say why.
#
# `write_parquet("output/")` resolves a relative path, `CheckpointConfig("id", "done/")` hands it to Arrow as a URI, and all that it says is "Invalid checkpoint path: done/." Where it matters: every script that takes its folders from the command line; give `os.path.abspath(done)`, or a URI.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet 'ray[data]==2.60.0'
venv/bin/pip list 2>/dev/null | grep -iE '^(ray|pyarrow) '
RAY_USAGE_STATS_ENABLED=0 venv/bin/python - 2>/dev/null <<'PYTHON'
import os

import ray
from ray.data.checkpoint import CheckpointConfig

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
ray.data.range(4).write_parquet("output/")
written = [name for name in os.listdir("output") if name.endswith(".parquet")]
print(f"output/: {'written' if written else 'nothing'}")


def said(path):
    try:
        CheckpointConfig("id", path)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()}"
    return "taken"


relative, whole = said("done/"), said(os.path.abspath("done"))
print(f"done/: {relative}")
print(f"its whole path: {whole}")
assert written
assert relative == "InvalidCheckpointingConfig: Invalid checkpoint path: done/."
assert whole == "taken"
PYTHON
# Seen:
#   pyarrow                   26.0.1
#   ray                       2.60.0
#   output/: written
#   done/: InvalidCheckpointingConfig: Invalid checkpoint path: done/.
#   its whole path: taken
