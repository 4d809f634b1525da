"""Methods of the slot `external`: whether and with which weight rows of other sources join the training rows."""
