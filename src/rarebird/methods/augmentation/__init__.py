"""Methods of the slot `augmentation`: random changes of the rows of a batch that keep their labels true."""
