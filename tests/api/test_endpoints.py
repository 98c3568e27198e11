"""From settings to endpoints."""

from __future__ import annotations

import asyncio

import pytest
from execution.hostile import HostileServer, silence

from planner.api.endpoints import open_endpoint
from planner.config import Settings
from planner.core import Conventions, Message, Verify
from planner.errors import EndpointTimeout, InvalidInput


def test_a_url_is_spoken_to_as_the_settings_say():
    asked = {"step_separator": "\n", "temperature": 0.8}
    endpoint = open_endpoint("http://127.0.0.1:9/v1", Settings(conventions=asked))
    assert endpoint.conventions == Conventions(step_separator="\n", temperature=0.8)


def test_conventions_come_from_a_table_of_the_file(tmp_path):
    file = tmp_path / "planner.toml"
    file.write_text('[conventions]\nrevision_instruction = "Again:"\n', "utf-8")
    assert Settings.load(environ={}, file=file).conventions.revision_instruction == "Again:"


def test_an_unknown_convention_is_named(tmp_path):
    file = tmp_path / "planner.toml"
    file.write_text('[conventions]\nstop = "x"\n', "utf-8")
    with pytest.raises(InvalidInput, match=r"conventions\.stop"):
        Settings.load(environ={}, file=file)


def test_without_an_endpoint_the_ways_to_name_one_are_told():
    with pytest.raises(InvalidInput, match="PLANNER_ENDPOINT_URL"):
        open_endpoint(None, Settings())


def test_a_verifier_that_is_named_by_its_url_is_waited_for_as_the_settings_say():
    async def verified() -> None:
        async with HostileServer([silence]) as server:
            settings = Settings(verifiers={"prm": server.url}, request_timeout_seconds=0.3)
            endpoint = open_endpoint("http://127.0.0.1:9/v1", settings)
            try:
                async with asyncio.timeout(20):
                    await endpoint.verify(Verify("prm", (Message("user", "How many?"),), ("1",)))
            finally:
                await endpoint.aclose()

    with pytest.raises(EndpointTimeout, match=r"within 0\.3 seconds"):
        asyncio.run(verified())
