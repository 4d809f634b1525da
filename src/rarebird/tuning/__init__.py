"""Search for the best recipe within a budget."""
