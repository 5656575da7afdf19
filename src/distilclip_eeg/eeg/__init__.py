"""What a recording is: bytes on disk become microvolts in a standard montage."""
