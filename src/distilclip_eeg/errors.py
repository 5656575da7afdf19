"""What a caller can act on, one exception per decision.

Every message is one line: what was found, what was expected, what to do.
The command line prints it as it stands; anything else that escapes is a defect.
"""

_SHOWN = 1200  # characters; what was found may be a file in one line


def one_line(text: str) -> str:
    r"""Write what no line can show as an escape: names of files may hold `\n`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class DistilClipError(Exception):
    """The caller gave something that cannot be used; the message says what to do."""

    def __str__(self) -> str:
        """One line that a terminal can show, whatever a file or its name holds."""
        text = one_line(super().__str__())
        if len(text) > _SHOWN:  # what to do stands at the end
            text = f"{text[: _SHOWN // 2]} ... {text[-_SHOWN // 2 :]}"
        return text


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


class InUseError(DistilClipError):
    """Another process is writing the same output."""


class NotKeptError(DistilClipError):
    """A person's decision could not be put on disk."""
