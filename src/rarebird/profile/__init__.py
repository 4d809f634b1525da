"""What the data are and what is wrong with them, before anything is learned."""
