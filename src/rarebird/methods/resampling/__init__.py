"""Methods of the slot `resampling`: which training rows of a table are repeated, made anew or left out."""
