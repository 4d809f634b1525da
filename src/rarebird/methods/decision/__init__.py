"""Methods of the slot `decision`: how probabilities become a label."""
