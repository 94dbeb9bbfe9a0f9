"""Compiled inner loops; `reference` holds the same functions in plain NumPy, which are their specification."""
