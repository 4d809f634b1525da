"""`rarebird fit`: a search of many recipes within a budget."""
