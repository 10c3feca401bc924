"""The slides' formulas on their own, one module a slide, and the ledger of equations."""
