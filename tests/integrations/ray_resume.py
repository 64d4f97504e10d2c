"""Captions a table with Ray's checkpoints of rows on two CPUs, in a process that may be killed."""

import sys

import ray
from ray.data import DataContext
from ray.data.checkpoint import CheckpointConfig

from vimmerse_async.integrations.ray import caption_dataset


def main(source: str, target: str, done: str) -> None:
    """Caption what is in no file yet."""
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=100 << 20,
        log_to_driver=False, logging_level="ERROR",
    )  # fmt: skip
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.checkpoint_config = CheckpointConfig("image", done)
    ds = caption_dataset(ray.data.read_parquet(source), column="image", actors=2, window=64)
    ds.write_parquet(target, min_rows_per_file=50)
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
