"""Pure decisions: how many requests may go, and which are sent again."""
