"""Sends the present grant along, and where it is refused renews it and repeats the request, once.

It works as the digest authentication of requests does: the repeated request goes through the same connection, from the
hook of the answer that refused the first one. What calls the session sees one call, and the last answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import requests
from requests.auth import AuthBase

from connector_core.contract.accounts import is_same_place
from connector_core.contract.errors import AuthError, RetryLater
from connector_core.contract.handles import Core
from connector_core.contract.models import Grant
from connector_core.http.answers import AnswerBudget, Holdings
from connector_core.http.session import Observer, answered, read_whole


class GrantAuth(AuthBase):
    """The `auth` of a session whose requests carry the grant of one integration.

    `is_curable` tells whether renewing may help after a 401; `observe` is told of the answers that are not the last.
    These count among what each thread holds for the session (`holdings`), as the last one does.
    """

    def __init__(
        self,
        core: Core,
        is_curable: Callable[[requests.Response], bool],
        observe: Observer,
        holdings: Holdings | None = None,
    ) -> None:
        self._core = core
        self._is_curable = is_curable
        self._observe = observe
        self._holdings = holdings or Holdings(AnswerBudget(), object())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers; raises `AuthError` when nobody has authorized yet."""
        grant = self._core.grant()
        if grant is None:
            raise AuthError("Nobody has authorized access yet.")
        request.headers.update(grant.sent_headers())
        request.hooks["response"].append(partial(self._answered, grant))
        return request

    def _answered(self, sent: Grant, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401 - those of requests
        """Return the answer, or the one to the request repeated with another grant.

        Raises:
            AuthError: a person has to authorize again.
            RetryLater: the grant could not be renewed now; or it was, and the request cannot be repeated as it is.
        """
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        read_whole(response, self._holdings.own)  # also gives the connection back, for the repetition to use
        if not self._is_curable(response):
            return response
        request = response.request.copy()
        self._observe(answered(response, response.elapsed.total_seconds()))
        renewed = self._core.renew(sent)
        if not is_same_place(sent, renewed) or not isinstance(request.body, str | bytes | None):
            # A stream has been sent already; and what is good elsewhere is no business of this address.
            raise RetryLater("The authorization was renewed; what was refused has to be sent anew.", code="renewed")
        for name in sent.headers:
            request.headers.pop(name, None)
        request.headers.update(renewed.sent_headers())
        repeated: requests.Response = response.connection.send(request, **options)
        repeated.history.append(response)
        repeated.request = request
        return repeated
