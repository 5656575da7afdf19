"""`python -m distilclip_eeg.cli` is the command `distilclip`."""

from distilclip_eeg.cli import main

main()
