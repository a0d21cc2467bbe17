"""One module per format: what is in it, step by step, and how it is written again. `registry` lists them."""
