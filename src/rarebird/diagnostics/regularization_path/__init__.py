"""`rarebird regularization-path`: training and held-out score against the strength of a penalty."""
