"""Settings that most ticketing systems have: how their values are read as people give them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from connector_core.contract.addresses import http_address


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
