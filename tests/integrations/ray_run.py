"""Captions rows on a Ray cluster of two simulated nodes, in a process of its own.

Writes Parquet; what the server saw tells the rest.
"""

import os
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import ray
import ray._private.state
from ray.cluster_utils import Cluster

from vimmerse_async.integrations.ray import caption_dataset

SYSTEM = {"include_dashboard": False, "object_store_memory": 100 << 20}


def main(target: str, rows: int, window: int, width: int, rows_per_file: int, kill_at: int) -> None:
    """Caption rows of `width` bytes into Parquet; kill a node at work after `kill_at` requests."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **SYSTEM})
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    victim = cluster.add_node(num_cpus=2, object_store_memory=100 << 20, resources={"other": 1.0})
    cluster.wait_for_nodes()
    ray.data.DataContext.get_current().enable_progress_bars = False
    if kill_at:
        Thread(target=_kill, args=(cluster, victim, kill_at), daemon=True).start()
    url, note = "https://shop.example/{}.jpg", "n" * width
    table = [{"id": n, "image": url.format(n), "note": note} for n in range(rows)]
    ds = caption_dataset(ray.data.from_items(table), column="image", actors=2, window=window)
    ds.write_parquet(target, min_rows_per_file=rows_per_file)
    ray.shutdown()
    cluster.shutdown()


def _kill(cluster: Cluster, victim: Any, kill_at: int) -> None:
    counter = Path(os.environ["SEEN"])
    while int(counter.read_text() or 0) < kill_at or not _has_actor(victim.node_id):
        time.sleep(0.05)
    time.sleep(1.0)  # for its rows to be asked
    cluster.remove_node(victim, allow_graceful=False)


def _has_actor(node: str) -> bool:
    actors = ray._private.state.actors().values()
    return any(each["State"] == "ALIVE" and each["Address"]["NodeID"] == node for each in actors)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
