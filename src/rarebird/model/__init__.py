"""A fitted model, and its folder on disk."""
