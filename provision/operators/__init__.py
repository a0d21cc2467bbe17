"""The acts on operators: each changes the vault's recipients, the feed secret, the trust list and the event log together."""
