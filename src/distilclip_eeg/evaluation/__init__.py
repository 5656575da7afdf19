"""Predictions against experts."""
