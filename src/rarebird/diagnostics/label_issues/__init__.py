"""`rarebird label-issues`: training rows whose given label is improbable."""
