"""One limit and one queue for several processes: whoever leads admits, the others ask."""
