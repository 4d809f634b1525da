"""Makes one smaller network from a network or an ensemble."""
