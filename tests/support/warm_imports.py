"""What a forked process finds done: what is loaded, read, compiled or made at its first use.

That is all modules, a file as after a while, the templates of the console, and a new database.
"""

import gc
import tempfile
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import connector_core
import connector_jira_jsm
import connector_xyte
from connector_core.config import read_config
from connector_core.contract.models.record import build_all
from connector_core.web.console import pages
from tests.support import new_databases

CONFIG = """
secret_key: a passphrase of many letters
server: {port: 8080, public_url: "http://127.0.0.1:8080"}
console: {password: a passphrase of many letters}
plugins: {jira_jsm: {oauth: {client_id: id, client_secret: of the app}}}
organizations:
  acme:
    source: {plugin: http, secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0}
    integrations: {desk: {plugin: jira_jsm, service_desk: "1", request_type: "2", close_status: "3"}}
  globex: {source: {plugin: xyte, organization_key: of-a-tenant}}
"""

for package in (connector_core, connector_jira_jsm, connector_xyte):
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "connector.yaml").write_text(CONFIG)
    read_config(Path(folder, "connector.yaml"), environ={})  # what reads and checks a file is made at its first use
build_all()

for template in pages.templates().list_templates(["html"]):
    pages.templates().get_template(template)
new_databases.migrated()
new_databases.use()
gc.freeze()  # what is here stays for good: each process that is forked would look through it, and so copy it, again
