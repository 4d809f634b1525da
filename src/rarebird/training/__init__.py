"""Training: one model per part of the rows, from prepared rows to the last step."""
