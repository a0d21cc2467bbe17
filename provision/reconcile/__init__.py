"""The loop that cron or CI runs: what its steps changed, what is due, and what of earlier runs it may rely on."""
