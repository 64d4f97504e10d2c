"""The pictures and videos that the emulator holds."""
