"""The command line: one thin function per command, one file per line of work.

Results go to stdout, talk to stderr. Exit status: 0 all done, 1 some of many recordings
failed (each named), 2 the call or the only recording cannot be used, 130 interrupted.
Everything heavy is imported inside the commands, so that `--help` comes at once.
"""

from distilclip_eeg.cli import (
    ablating,
    anonymizing,
    benching,
    collecting,
    comparing,
    controlling,
    detecting,
    downloading,
    evaluating,
    explaining,
    learning,
    looking,
    preparing,
    quantizing,
    reproducing,
    reviewing,
    scanning,
    searching,
    simulating,
    streaming,
    thresholding,
)
from distilclip_eeg.cli.app import app, main

__all__ = [
    "ablating",
    "anonymizing",
    "app",
    "benching",
    "collecting",
    "comparing",
    "controlling",
    "detecting",
    "downloading",
    "evaluating",
    "explaining",
    "learning",
    "looking",
    "main",
    "preparing",
    "quantizing",
    "reproducing",
    "reviewing",
    "scanning",
    "searching",
    "simulating",
    "streaming",
    "thresholding",
]
