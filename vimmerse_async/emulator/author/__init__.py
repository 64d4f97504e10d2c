"""Who writes the emulator's prompts."""
