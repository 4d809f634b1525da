"""Methods of the slot `network`: the architecture that maps a row to its logits."""
