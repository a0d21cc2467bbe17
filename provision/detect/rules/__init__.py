"""Secret rules that come with the product: one module per family, each rule with its own examples."""
