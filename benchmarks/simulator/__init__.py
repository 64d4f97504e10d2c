"""A discrete-event simulator of limited servers, and of the clients that must find their limits.

`python -m benchmarks.simulator` prints one table: goodput and refused share of this project's
`AdaptiveLimit` and of what people use today.
"""
