"""Facts about each release of Hermes, as values; nothing about a release is written anywhere else."""
