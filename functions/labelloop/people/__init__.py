"""Labelling jobs, the answers people give, and how well they work."""
