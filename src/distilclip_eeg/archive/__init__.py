"""The same detector on a hospital's archive, on one machine or many."""
