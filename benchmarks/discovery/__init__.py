"""Finding a real server's limit: this project and its peers against nginx."""
