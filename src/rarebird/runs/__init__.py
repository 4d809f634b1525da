"""Commands for one recipe and for a saved model: a path in, a folder out."""
