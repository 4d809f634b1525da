"""Methods of the slot `transfer`: where a network's initial weights come from."""
