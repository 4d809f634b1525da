"""Cards of a model and of its data, in Markdown."""
