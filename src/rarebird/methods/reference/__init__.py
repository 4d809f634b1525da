"""Methods of the slot `reference`: models that are trained in place of a network."""
