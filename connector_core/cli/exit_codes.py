"""What the shell is told when a command ends."""

from __future__ import annotations

import errno
from enum import IntEnum

import click

from connector_core.contract.errors import AuthError, ConfigError, ConnectorError, RetryLater


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1  # refused by the other side, or a finding that is a problem
    USAGE = 2  # the command line cannot be understood, names what is not there, or lacks an option, such as --yes
    SETTINGS = 3  # a person must edit settings, or give access to a file or a folder
    AUTHORIZATION = 4  # a person must authorize again
    TRY_AGAIN = 5  # something is unreachable or busy at the moment


#: Errors that say that the command line names something that is not there, or not clearly, or lacks an option.
_OF_THE_LINE = frozenset(
    {
        *("unknown", "integration_unknown", "organization_unknown", "notifier_unknown", "step_unknown"),
        *("source_unknown", "delivery_unknown", "plugin_unknown", "settings_run_unknown"),
        *("question_unknown", "row_unknown", "choice_unknown", "nothing_found"),
        *("nothing_named", "organization_needed", "setup_link_unknown", "name_ambiguous"),
        *("no_terminal", "authorized_already", "nothing_to_check", "name_unusable"),
    }
)
#: What the system says of a file, a folder or a disk that cannot be used.
_OF_FILES = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOENT),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENODEV),
    }
)


def code_of(error: BaseException) -> ExitCode:
    """Return the code that a command ends with after an error."""
    match error:
        case click.ClickException():
            return ExitCode(error.exit_code)
        case ConfigError():
            return ExitCode.USAGE if error.code in _OF_THE_LINE else ExitCode.SETTINGS
        case AuthError():
            return ExitCode.AUTHORIZATION
        case RetryLater():
            return ExitCode.TRY_AGAIN
        case OSError() if is_of_files(error):
            return ExitCode.SETTINGS
        case _:
            return ExitCode.FAILED


def is_of_files(error: OSError) -> bool:
    """Return whether an error is about a file, a folder or a disk, which somebody can mend without reading the code."""
    return error.errno in _OF_FILES


def in_words(error: OSError) -> ConnectorError:
    """Say that a file, a folder or a disk cannot be used."""
    name = "A file" if error.filename is None else error.filename
    return ConfigError(
        f"{name} cannot be used: {error.strerror}.",
        code="file_unusable",
        fix="Check its owner and mode, those of its folder, and that there is space on the disk.",
    )


def end_without_yes() -> click.exceptions.Exit:
    """Return what ends a command that only said what it would do: a script must not take that for done."""
    return click.exceptions.Exit(ExitCode.USAGE)
