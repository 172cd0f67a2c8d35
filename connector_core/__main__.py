"""`python -m connector_core` and the console script `connector`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    gc.disable()  # until all is loaded: looking for garbage among modules takes a sixth of a command's time
    from connector_core.cli.main import run  # noqa: PLC0415 - only this script needs it

    run()


if __name__ == "__main__":
    main()
