"""The signed feed: publish bundles as static files, and pull them on endpoints."""
