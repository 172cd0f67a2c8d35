"""Files that nobody else reads: what we write is for the user that we run as, whatever the umask says.

SQLite makes the files beside the database with the mode of the database.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BESIDE = ("", "-wal", "-shm", "-journal", ".life", ".life.new")


def open_private(path: Path, *, is_new: bool = False, for_owner: bool = False) -> int:
    """Open a file for reading and writing, made if it is not there; return its descriptor.

    With `for_owner` a file that root makes belongs to the owner of its folder: a command of root's beside a daemon of
    another user must not be in its way. Only a file that was made here is given away; whoever has the folder could
    have put a link to anything in its place.

    Raises:
        OSError: it cannot be, or it is there already although it `is_new`.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        if is_new:
            raise
        descriptor = os.open(path, flags | os.O_CREAT, FILE_MODE)
    else:
        if for_owner:
            _give_to_owner(descriptor, path.parent)
    with suppress(PermissionError):  # another user's, who lets us write it
        _narrow(descriptor)
    return descriptor


def make_private(path: Path, *, is_new: bool = False, for_owner: bool = False) -> None:
    """Make a file if it is not there, as `open_private`."""
    os.close(open_private(path, is_new=is_new, for_owner=for_owner))


def _give_to_owner(descriptor: int, folder: Path) -> None:
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; what is there already stays as it is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(FOLDER_MODE)
        path.chmod(FOLDER_MODE)


def narrow(database: Path) -> None:
    """Take away from others what they may do with a database and the files beside it; what is not ours stays."""
    for path in _files(database):
        with suppress(OSError):
            _narrow(path)


def open_to_others(database: Path) -> list[Path]:
    """Return which of these files others may read or write."""
    return [path for path in _files(database) if path.stat().st_mode & _OTHERS]


def _files(database: Path) -> Iterator[Path]:
    real = database.resolve()  # SQLite puts its files beside what a link points to
    named = {path.with_name(f"{path.name}{suffix}") for path in (database, real) for suffix in _BESIDE}
    locks = (path for path in database.parent.glob("*.lock") if path.name.startswith(f"{database.name}."))
    yield from (path for path in sorted({*named, *locks}) if path.is_file())


def _narrow(file: int | Path) -> None:
    mode = os.stat(file).st_mode  # noqa: PTH116 - a descriptor has no path
    wanted = (stat.S_IMODE(mode) & ~_OTHERS) | stat.S_IRUSR | stat.S_IWUSR
    if stat.S_IMODE(mode) != wanted:
        os.chmod(file, wanted)  # noqa: PTH101 - as above
