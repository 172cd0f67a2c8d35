"""The `connector` command, killed at a call of one of its functions: `MODULE NAME NUMBER ARGUMENTS…`.

A kill at a moment that is drawn by time would hit the same place on no two machines.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import reduce
from importlib import import_module
from itertools import count

from connector_core.cli.main import run


def main(module, name, number, *arguments):
    """Run the command until the function is called for that time, counted from 1; it does its work first."""
    *owners, last = name.split(".")
    owner = reduce(getattr, owners, import_module(module))
    function, calls = getattr(owner, last), count(1)

    def call(*args, **kwargs):
        result = function(*args, **kwargs)
        if next(calls) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, last, call)
    sys.argv = ["connector", *arguments]
    run()


if __name__ == "__main__":
    main(*sys.argv[1:])
