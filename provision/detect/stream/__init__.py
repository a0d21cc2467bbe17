"""Detection in data that arrives in pieces."""
