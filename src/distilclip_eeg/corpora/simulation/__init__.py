"""Recordings with planted seizures: what is drawn, and how it reaches the electrodes."""
