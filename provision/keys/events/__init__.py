"""The event log beside the vault: a hash chain of what happened to which key."""
