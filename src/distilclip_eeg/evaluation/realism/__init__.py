"""How well simulated recordings are told from real ones, and by what."""
