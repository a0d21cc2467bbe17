"""The operator's side of a bundle: plan, render, seal, sign, write `dist/`, diff."""
