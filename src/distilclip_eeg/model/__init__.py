"""EEG and text in one space: the two towers, the captions and the losses (torch)."""
