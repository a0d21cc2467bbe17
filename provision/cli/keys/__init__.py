"""The commands of `provision keys`."""
