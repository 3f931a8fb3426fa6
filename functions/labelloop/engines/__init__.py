"""Models: their files, their training, their endpoints."""
