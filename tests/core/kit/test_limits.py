"""Headers about rate limits, of the standard and of what vendors had before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from connector_core import Scope
from connector_core.kit.limits import RateHeaders

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
IN_40_S = str(int(NOW.timestamp()) + 40)
LIMITS = RateHeaders()
NAMES = ("RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Reset")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Mon, 23 Nov 2026 10:16:00 GMT"}, 60),
        ({"Retry-After": "Mon, 23 Nov 2026 10:14:00 GMT"}, 0),
        ({"RateLimit-Reset": "30"}, 30),
        ({"X-RateLimit-Reset": IN_40_S}, 40),
        ({"X-RateLimit-Reset": IN_40_S + "000"}, 40),
        ({"X-Rate-Limit-Reset": "2026-11-23T10:16Z"}, 60),
        ({"X-Rate-Limit-Reset": "2026-11-23T10:16"}, 60),
        ({"X-Rate-Limit-Reset": "2026-11-23T11:16+01:00"}, 60),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "5"}, 5),
        ({"Retry-After": "9" * 8}, 3600),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_each_form(headers, wait_s):
    """Nonsense is nothing, and no wait is longer than an hour."""
    assert LIMITS.wait_of(CaseInsensitiveDict(headers), NOW) == wait_s


@pytest.mark.parametrize(
    ("headers", "spare_s"),
    [
        ({"RateLimit-Policy": '"burst";q=100;w=60', "RateLimit": '"burst";r=19;t=12'}, 12),
        ({"RateLimit-Policy": '"burst";q=100;w=60', "RateLimit": '"burst";r=20;t=12'}, None),
        (
            {
                "RateLimit-Policy": '"burst";q=100;w=60, "day";q=1000;w=86400',
                "RateLimit": '"burst";r=90;t=12, "day";r=10;t=900',
            },
            900,
        ),
        (
            {
                "RateLimit-Policy": '"burst";q=100;w=60, "day";q=1000;w=86400',
                "RateLimit": '"burst";r=1;t=12, "day";r=10;t=900',
            },
            900,
        ),
        ({"RateLimit-Policy": "default;q=100", "RateLimit": "default;r=1;t=5, other;r=1;t=7"}, 5),
        ({"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}, 1),
        ({"RateLimit": "limit=100, remaining=3, reset=25"}, 25),
        ({"RateLimit-Limit": "100", "RateLimit-Remaining": "3", "RateLimit-Reset": "25"}, 25),
        ({"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0"}, 60),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": IN_40_S}, 40),
        ({"X-RateLimit-NearLimit": "TRUE"}, 60),
        ({"RateLimit": "r=1"}, None),
        ({}, None),
    ],
)
def test_a_limit_that_is_near_is_noticed(headers, spare_s):
    """Less than a fifth of one of them is left; the standard's limits go by their names."""
    expected = None if spare_s is None else NOW + timedelta(seconds=spare_s)

    assert LIMITS.near_until(CaseInsensitiveDict(headers), NOW) == expected


@given(
    st.dictionaries(st.sampled_from(["RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Reset"]), st.text())
)
def test_no_header_makes_a_wait_without_bounds(headers):
    """Whatever a proxy writes."""
    wait, until = LIMITS.wait_of(headers, NOW), LIMITS.near_until(headers, NOW)

    assert wait is None or 0 <= wait <= LIMITS.longest_wait_s
    assert until is None or timedelta(0) < until - NOW <= timedelta(seconds=LIMITS.longest_wait_s)


@pytest.mark.parametrize("odd", [" " * 50_000, "," * 50_000, '"' * 50_000, "a" * 50_000, "r=1;" * 20_000, "=" * 50_000])
def test_a_long_header_is_read_to_a_limit(odd):
    """Nothing after the first two thousand characters counts."""
    headers = {"RateLimit-Policy": "q=100", "RateLimit": odd + ";r=1;t=9"}

    assert LIMITS.near_until(headers, NOW) is None or odd.startswith("r=1")


def test_whom_a_refusal_is_about_is_the_site_unless_a_vendor_says_otherwise():
    """By the header that names the limit."""
    assert LIMITS.scope_of("") is Scope.SITE


@pytest.mark.parametrize(
    ("headers", "share"),
    [
        ({"X-RateLimit-Limit": "400", "X-RateLimit-Remaining": "100"}, 0.25),
        ({"RateLimit": '"burst";r=10, "day";r=900', "RateLimit-Policy": '"burst";q=100, "day";q=1000'}, 0.1),
        ({"RateLimit": "limit=10, remaining=20"}, 1.0),
        ({"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "7"}, None),
        ({"X-RateLimit-NearLimit": "true"}, None),
        ({}, None),
    ],
)
def test_the_share_that_is_left_is_that_of_the_limit_which_is_nearest(headers, share):
    """Nothing is said where a header does not say both numbers."""
    assert LIMITS.left(CaseInsensitiveDict(headers), NOW) == share
