"""The commands as they are typed; each imports what it does when it is used."""
