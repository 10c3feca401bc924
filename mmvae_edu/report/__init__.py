"""The offline page: its blocks, figures, and sections saved for a later page."""
