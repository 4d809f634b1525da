"""What the author of a method reads: where methods are found, their search ranges, and one protocol per slot."""
