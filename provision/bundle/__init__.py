"""The operator's side of bundles: plan, render, seal, sign, write `dist/`, diff."""
