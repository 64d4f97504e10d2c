"""The pytest plugin: `vimmerse_emulator`, `vimmerse_session_options` and the marker `vimmerse`.

It is loaded with pytest, so it imports nothing heavy until a test asks for the emulator.
"""
