"""Data sets: their files, their patients, what experts marked, which fold is whose."""
