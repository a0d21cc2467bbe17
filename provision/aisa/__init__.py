"""The AIsa gateway: its models, its URLs, what its answers mean, a client that asks, and a simulator that answers."""
