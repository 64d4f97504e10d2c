"""An asyncio SDK with batching for the Vimmerse text API.

Importing this package loads nothing heavy; each name is loaded when it is first used.
"""
