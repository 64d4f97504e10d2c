"""The one room that speaks aiohttp: connections, exchanges, forms, and the names of what fails."""
