"""Settings that most ticketing systems have: how their values are read as people give them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from connector_core.contract.addresses import http_address
from connector_core.contract.models import Priority
from connector_core.contract.plugin_info import Settings
from connector_core.contract.setup_steps import FieldKind
from connector_core.kit.priorities import FieldPriorities

IMPACT, URGENCY, COMPUTED = PARTS = ("impact", "urgency", "priority")
#: What ours are written as where settings say nothing; the usual rules make 1 to 5 of them.
USUAL_PAIRS: Mapping[Priority, str] = MappingProxyType(
    dict(zip(Priority, ("1/1", "1/2", "2/2", "2/3", "3/3"), strict=True))
)

_PAIR = re.compile(r"[0-9]{1,2}/[0-9]{1,2}")


def site_address(example: str, *, api_path: str = "", host_of_name: str = "") -> BeforeValidator:
    """Read the address under which people open a system, as they copy it; the example is shown for one that is none.

    With the path of the API at its end it is the same address. Where each customer has a host of its own,
    `host_of_name` makes one of a bare name: `{}` stands for that.

        address: Annotated[str, site_address("https://desk.example.com", api_path="/api")] = Field(description="Where.")

    >>> site_address("https://desk.example.com", api_path="/api").func(" https://desk.test/api/ ")
    'https://desk.test'
    """

    def read(given: object) -> object:
        if not isinstance(given, str):
            return given
        plain = given.strip().rstrip("/").removesuffix(api_path)
        if host_of_name and re.fullmatch(r"[A-Za-z0-9-]+", plain):
            plain = f"https://{host_of_name.format(plain)}"
        return http_address(plain, example=example)

    return BeforeValidator(read)


def words_of(given: object) -> object:
    """Take a text apart at commas and blanks, as people type a list; what is none is left as it is.

    >>> words_of("6, 7 8")
    ['6', '7', '8']
    """
    return re.split(r"[,\s]+", given.strip()) if isinstance(given, str) else given


#: A setting of some words: a list in the file, with commas or blanks between them where it is typed.
Words = Annotated[tuple[str, ...], BeforeValidator(words_of)]


class SignInSettings(Settings):
    """The way that was chosen, and what each way needs: a base of a plugin's own settings."""

    sign_in: Annotated[Literal["oauth", "client_credentials", "api_key", "basic"], FieldKind.CHOICE] = Field(
        "oauth", description="How access is authorized: someone's consent, a client of its own, a key, or a password."
    )
    client_id: str = Field("", title="Client ID", description="For OAuth, as it stands in the registry.")
    client_secret: SecretStr | None = Field(None, description="Of the OAuth client, as it stands in the registry.")
    api_key: SecretStr | None = Field(None, title="API key", description="For an API key: the key.")
    user_name: str = Field("", description="For a password: user name of the account.")
    password: SecretStr | None = Field(None, description="Of that user.")


def pair_of(text: str) -> str:
    """Return impact and urgency as they are written here.

    >>> pair_of(" 1 / 2 ")
    '1/2'

    Raises:
        ValueError: they are not given as `impact/urgency`.
    """
    if not _PAIR.fullmatch(bare := re.sub(r"\s", "", text)):
        raise ValueError("expected impact and urgency like 1/2")
    return bare


class PairSettings(Settings):
    """What each priority is written as: a base of a plugin's own settings."""

    impact_urgency: Mapping[Priority, Annotated[str, AfterValidator(pair_of)]] = Field(
        {}, description="Impact and urgency for each priority, like 1/2; what is left out is as in the base system."
    )

    @property
    def priorities(self) -> FieldPriorities:
        """The pair that each of ours is written as; what only the computed priority tells is read by its number."""
        pairs = {**USUAL_PAIRS, **self.impact_urgency}
        written = {ours: dict(zip(PARTS, pairs[ours].split("/"), strict=False)) for ours in Priority}
        return FieldPriorities(written, [({COMPUTED: str(number)}, ours) for number, ours in enumerate(Priority, 1)])
