"""For authors of methods: where methods are found, their search ranges, and one protocol per slot."""
