"""Several processes on one account: strangers, and those that share what one of them learns."""
