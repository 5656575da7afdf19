"""What a model might go by beside seizures: data set, patient, clock, loudness."""
