"""Commands that build bundles and bring them to machines."""
