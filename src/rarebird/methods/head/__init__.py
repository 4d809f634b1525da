"""Methods of the slot `head`: how the last layer of a network with frozen features is solved in closed form."""
