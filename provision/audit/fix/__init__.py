"""`audit --fix`: what can be mended without a loss, shown first, backed up sealed, and taken back by `audit --undo`."""
