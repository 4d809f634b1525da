"""Pages of HTML, one file for each."""
