"""A journal as a page on this machine, also while a run writes it."""
