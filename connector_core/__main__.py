"""`python -m connector_core` and the console script `connector`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line: by a daemon that runs with the same file, else here."""
    from connector_core.cli.beside.caller import ask  # noqa: PLC0415 - only this script needs it

    code = ask(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    # We have none, and to look for some among all that is installed takes as long as to read the file.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()  # until all is loaded: looking for garbage among modules takes a sixth of a command's time
    from connector_core.cli.main import run  # noqa: PLC0415 - only this script needs it

    try:
        run()
    finally:
        gc.freeze()  # else Python would look through all that was loaded once more at its end, for nothing


if __name__ == "__main__":
    main()
