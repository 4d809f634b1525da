"""Every choice of one training as a value that round-trips through TOML."""
