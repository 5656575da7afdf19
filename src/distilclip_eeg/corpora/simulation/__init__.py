"""Recordings with planted seizures: what is drawn, and what electrodes see."""
