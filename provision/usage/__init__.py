"""Who spends what: budgets against what the gateway says, and what cannot be known. Money in micro-dollars."""
