"""What a forked daemon finds imported: the commands and the plugins, as a running daemon has them after a while."""

from importlib import import_module
from pkgutil import iter_modules

import connector_core.cli
import connector_jira_jsm

for package in (connector_core.cli, connector_jira_jsm):
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            import_module(module.name)
