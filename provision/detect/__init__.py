"""What a secret looks like: a value type that cannot leak by accident, key shapes, placeholders, fingerprints."""
