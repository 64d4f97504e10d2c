"""How the emulator behaves: limits, faults, latencies, money."""
