"""The `vimmerse` command."""
