"""Methods of the slot `optimizer`: how a gradient becomes a step."""
