"""One network in, a smaller one out."""
