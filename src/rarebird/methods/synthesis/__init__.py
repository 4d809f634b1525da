"""Methods of the slot `synthesis`: generators that fill rare classes with new rows, and the gate that judges them."""
