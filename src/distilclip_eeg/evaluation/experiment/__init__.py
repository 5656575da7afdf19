"""The paper's experiment: segments, splits leaky and honest, one table."""
