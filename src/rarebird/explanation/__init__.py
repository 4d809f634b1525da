"""What speaks for a class and what against it in a row, as the shipped model sees it."""
