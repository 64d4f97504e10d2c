"""Many questions at once: a bounded window over any iterable."""
