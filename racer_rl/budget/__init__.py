"""What runs cost: a price table, a ledger of every run, and budgets that runs keep to."""
