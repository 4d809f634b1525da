"""Methods of the slot `regularization`: what keeps a network from learning its rows by heart."""
