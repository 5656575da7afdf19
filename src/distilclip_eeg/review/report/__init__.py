"""A recording and what was found in it -> one HTML file that explains itself."""
