"""A trained folder and a signal -> events with their leads, file or stream alike."""
