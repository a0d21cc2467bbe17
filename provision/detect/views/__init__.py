"""Other readings of the same bytes (decoded, rejoined), each with a way back to the original offsets."""
