"""What a forked daemon finds done: commands and plugins are imported, and a new database is at hand."""

from importlib import import_module
from pkgutil import iter_modules

import connector_core.cli
import connector_jira_jsm
from tests.support import new_databases

for package in (connector_core.cli, connector_jira_jsm):
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        if not module.ispkg:
            import_module(module.name)

new_databases.migrated()
new_databases.use()
