"""What is kept of a batch: one SQLite file, written by one run, read by anybody."""
