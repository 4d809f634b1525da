"""Search the ranges of one recipe by trials: `rarebird tune`."""
