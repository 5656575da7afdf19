"""What a caller can act on, one exception per decision.

Every message is one line: what was found, what was expected, what to do.
The command line prints it as it stands; anything else that escapes is a defect.
"""


class DistilClipError(Exception):
    """The caller gave something that cannot be used; the message says what to do."""


class UnreadableRecordingError(DistilClipError):
    """The bytes are not a recording that can be read."""


class TooFewLeadsError(DistilClipError):
    """The recording holds too few of the 18 leads for a detection to mean anything."""


class ModelFolderError(DistilClipError):
    """The folder is not a trained model, was altered, or is of another version."""


class StateError(DistilClipError):
    """A saved state is damaged, or belongs to another model, montage or version."""


class StreamError(DistilClipError):
    """A live stream cannot be found, or is not one that can be listened to."""


class ConfigError(DistilClipError):
    """A setting is unknown or out of range."""


class CorpusError(DistilClipError):
    """A data set is not laid out as its catalog expects."""


class ArchiveError(DistilClipError):
    """An archive cannot be scanned, or its results can be kept nowhere."""


class DownloadError(DistilClipError):
    """A file could not be fetched, or is not the one that its publisher signed."""


class MissingExtraError(DistilClipError):
    """The command needs packages that the base install does not carry."""


class OutputExistsError(DistilClipError):
    """The output is there already and overwriting was not asked for."""
