"""The routes: what the emulator speaks."""
