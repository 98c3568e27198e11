"""While a large body is read, whoever asks for something small is answered."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from planner.config import Settings
from planner.service.app import create_app
from planner.service.hot import MOST_BYTES_AT_ONCE

RUN = {"prompt": "How many is 6 times 7?", "generator": "lab-small", "samples": [{"answer": "42", "score": 0.5}]}
SMALL = {"prompt": "Start with 11. Multiply by 5. How many now?", "budget": {"max_generations": 4}}
# Refused at its end: nothing of it is written, so that reading is all that it takes.
RUNS = {"runs": [RUN | {"run_id": str(place)} for place in range(10_000)] + [RUN | {"breadth": 0}]}
PROMPTS = {"prompts": [{"prompt": f"{place} times 7?", "metadata": {"place": place}} for place in range(20_000)] + [0]}


@pytest.mark.parametrize(("path", "body"), [("/v1/runs", RUNS), ("/v1/recommendations", PROMPTS)])
def test_small_requests_are_answered_meanwhile(home, path, body):
    content = json.dumps(body).encode()
    assert len(content) > 4 * MOST_BYTES_AT_ONCE

    async def answered_meanwhile() -> int:
        guard = create_app(Settings.load())
        application = guard.app.app
        transport = httpx.ASGITransport(guard)
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            await client.post("/v1/recommendations", json=SMALL)
            headers = {"Content-Type": "application/json"}
            large = asyncio.create_task(client.post(path, content=content, headers=headers))
            answered = 0
            while not large.done():
                answered += (await client.post("/v1/recommendations", json=SMALL)).status_code == 200
                await asyncio.sleep(0)  # such a request is answered without once letting another task run
            assert (await large).status_code == 422
            return answered

    assert asyncio.run(answered_meanwhile()) > 3  # that many could be before and after it
