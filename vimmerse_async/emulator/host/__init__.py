"""Where the emulator listens."""
