"""The face for plugin authors: everything a plugin may import from the core, besides `kit` and `testing` in it.

The names are those of `face`. They are loaded when one of them is asked for: a command that the daemon does in place of
its caller (`connector_core.cli.beside`) needs none here, and loading them takes longer than all it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector_core.face import *  # noqa: F403 - `__all__` says which
    from connector_core.face import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Return one of the names of the face."""
        from importlib import import_module  # noqa: PLC0415 - as said

        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        face = import_module("connector_core.face")
        if name != "__all__" and name not in face.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(face, name)
        return value
