"""Methods and parts of decision."""
