"""What a release publishes: the same bytes twice, no licence that nobody looked at, checksums that check."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile

import pytest

from tools.release import build, checksums, distributions, page, unknown

EPOCH = 1_790_000_000


def component(name: str, *licences: str) -> dict:
    """A row of a bill of materials."""
    return {"name": name, "version": "1", "licenses": [{"license": {"name": one}} for one in licences]}


@pytest.mark.parametrize(
    ("licences", "is_known"),
    [(["MIT"], True), (["BSD", "MIT License"], True), (["GPL-3.0-only"], False), (["MIT", "Odd"], False), ([], False)],
)
def test_a_licence_that_nobody_looked_at_is_found(licences, is_known):
    """One that is unknown, or none at all, ends a release."""
    made = {"components": [component("lib", *licences)]}

    assert (unknown(made) == []) is is_known


def test_an_expression_counts_as_each_licence_in_it():
    """As SPDX writes several."""
    made = {"components": [{"name": "lib", "version": "1", "licenses": [{"expression": "(MIT OR GPL-3.0-only)"}]}]}

    assert unknown(made) == ["lib 1: GPL-3.0-only, MIT"]
    assert "| lib | 1 | GPL-3.0-only, MIT |" in page(made)


def test_checksums_are_those_that_the_tool_reads(tmp_path):
    """`sha256sum --check` finds a file that was changed."""
    (tmp_path / "a.whl").write_text("one")
    (tmp_path / "SHA256SUMS.txt").write_text(checksums([tmp_path / "a.whl"]))

    def check():
        command = ["sha256sum", "--check", "SHA256SUMS.txt"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert check().returncode == 0
    (tmp_path / "a.whl").write_text("two")
    assert check().returncode == 1


@pytest.mark.extended
def test_two_builds_have_the_same_bytes_and_each_sdist_what_its_wheel_has(tmp_path):
    """Everything is as old as it is told to be; what an sdist leaves out is missing for those who build from it."""
    first, second = tmp_path / "first", tmp_path / "second"

    built = build(first, epoch=EPOCH)
    again = build(second, epoch=EPOCH)

    assert len(built) == 2 * len(distributions())
    assert [path.read_bytes() for path in built] == [path.read_bytes() for path in again]
    for wheel in first.glob("*.whl"):
        name, version = wheel.name.split("-")[:2]
        with zipfile.ZipFile(wheel) as packed, tarfile.open(first / f"{name}-{version}.tar.gz") as source:
            of_wheel = {one for one in packed.namelist() if ".dist-info/" not in one}
            of_source = {one.name.rpartition("/")[2] for one in source.getmembers()}
        # Some stand in another folder of the wheel than of the sources.
        assert {one.rpartition("/")[2] for one in of_wheel} <= of_source, name
