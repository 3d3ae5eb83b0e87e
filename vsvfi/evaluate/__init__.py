"""How good and how fast: metrics and reports."""
