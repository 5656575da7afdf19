"""A page on which a neurophysiologist decides what was a seizure."""
