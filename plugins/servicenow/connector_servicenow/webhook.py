"""What our Business Rule sends: verified, then read as a hint; the rule itself is `business_rule.js`."""

from __future__ import annotations

from base64 import b64encode

from pydantic import SecretStr

from connector_core import Delivery, InboundRequest, WebhookRejected
from connector_core.kit.signing import Form, SignatureScheme, name_of
from connector_core.kit.values import Json
from connector_servicenow.table import is_sys_id

SCHEME = SignatureScheme("x-signature", form=Form.BASE64, time_header="x-timestamp", between=b".")


def _read(_: InboundRequest, told: Json) -> Delivery:
    """Return what a delivery tells of.

    An update and the deletion after it have the same `sys_mod_count`: the event is part of the name.
    """
    event, sys_id, count = (name_of(told.get(name)) for name in ("event", "sys_id", "sys_mod_count"))
    if not is_sys_id(sys_id):
        raise WebhookRejected("The delivery names no incident.", status=422, reply="not of our rule")
    named = Delivery(id=f"{sys_id}:{count}:{event}", event=event or "update")
    if told.get("table") != "incident":
        return named.model_copy(update={"ignored": "other_table"})
    # The rule runs before a deletion, which another rule may still stop: a look follows either way.
    gone = frozenset({sys_id}) if event == "delete" else frozenset()
    return named.model_copy(update={"deleted": gone, "hints": frozenset({sys_id}) - gone})


receive = SCHEME.receiver(_read)


def key_of(secret: SecretStr) -> SecretStr:
    """Return a secret as `generateMac` takes it: in base64 [c_GlideCertificateEncryptionAPI]."""
    return SecretStr(b64encode(secret.get_secret_value().encode("utf-8", "replace")).decode("ascii"))
