"""Catalogs: rows in, rows with prompts out."""
