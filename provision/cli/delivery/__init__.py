"""Commands that build bundles and deliver them to machines."""
