"""Methods of the slot `batch_sampling`: which rows are drawn for each batch."""
