"""The sections of a run's report, one file each: what the template of the section shows."""
