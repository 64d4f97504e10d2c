"""What the emulator sees: a picture's bytes become measurements, the measurements words."""
