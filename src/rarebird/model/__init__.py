"""A fitted model and its folder."""
