"""API keys at rest and in transit: the vault, its event log, age, key sources."""
