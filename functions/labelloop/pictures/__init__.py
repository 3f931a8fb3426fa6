"""Stored files, format by format, and the one canonical picture of each. Pure."""
