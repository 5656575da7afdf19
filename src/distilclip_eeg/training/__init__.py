"""The loop, the batches, export, and experiments over folds."""
