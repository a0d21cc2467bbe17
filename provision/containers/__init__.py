"""What archives, compressed streams and databases hold: one reader for each format, in bounded memory."""
