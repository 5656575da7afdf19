"""The stream detector at the bedside, on Lab Streaming Layer."""
