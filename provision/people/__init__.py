"""What happens to people and machines: each is one act over inventory, vault, bundles, receipts and log."""
