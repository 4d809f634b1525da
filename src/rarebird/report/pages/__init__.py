"""Pages of HTML: one module and one template for each."""
