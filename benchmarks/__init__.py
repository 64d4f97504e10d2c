"""Measurements: interleaved with peers, as ratios, with a control."""
