"""Commands for the machine on which Hermes runs."""
