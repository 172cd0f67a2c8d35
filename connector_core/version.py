"""The version of this code, which `python -m tools.version` raises with that of all distributions.

Here so that no command has to read what is installed to say it: that takes longer than to ask a daemon.
"""

VERSION = "0.3.0.dev0"
