"""Methods and parts of synthesis, and the gate that judges new rows."""
