"""Other people's detectors, trained and judged as the package's own; see README.md."""
