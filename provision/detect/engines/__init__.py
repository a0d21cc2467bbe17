"""The prefilter: one pass that finds where rules have to run."""
