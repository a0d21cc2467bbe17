"""The commands of `provision rotate`."""
