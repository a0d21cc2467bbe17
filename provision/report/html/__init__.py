"""HTML as an output format: one page in a single file that loads nothing, and the parts that all pages use."""
