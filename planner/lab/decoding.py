"""Many completions written side by side: samples that agree so far share a row, and they come and go at any token."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner.lab.llama import MAX_POSITIONS, Llama
from planner.lab.prefixes import Prefixes, lines
from planner.lab.randomness import sample_keys
from planner.lab.rows import Rows
from planner.lab.sampling import draw, log_softmax
from planner.lab.stops import Stops
from planner.lab.tokenizer import EOS, Tokenizer
from planner.lab.weights import Floats


@dataclass(frozen=True)
class TokenLogprob:
    """A written token's log-probability at temperature 1, and those of the likeliest tokens at its place."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Written:
    """One completion: all its tokens, `<eos>` and a stop text's included; `text` holds neither."""

    tokens: tuple[int, ...]
    text: str
    finish: Literal["stop", "length"]
    ended: bool
    stop: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(eq=False)
class Writing:
    """A request to write `n` completions after `tokens`; the future is given them, and gives up when cancelled.

    first: number of the first sample among those of its seed. top_logprobs: None for no log-probabilities, else how
    many of the likeliest tokens are told at each place. on_token: told of each token as it is written (sample,
    token), from the thread that writes.
    """

    tokens: tuple[int, ...]
    n: int
    seed: int
    temperature: float
    max_tokens: int
    stops: Stops
    first: int = 0
    top_logprobs: int | None = None
    on_token: Callable[[int, int], None] | None = None
    future: Future[list[Written]] = field(default_factory=Future)
    written: dict[int, Written] = field(default_factory=dict)


_SAMPLE = np.dtype([("row", np.intp), ("place", np.intp), ("limit", np.intp), ("slot", np.intp), ("key", np.uint64)])
_CHECK_EVERY = 16  # tokens between looks for requests that nobody waits for any more


class Decoder:
    """Writes for one model: `admit` requests while there is room, `step` as long as there is something to write."""

    def __init__(self, model: Llama, prefixes: Prefixes, tokenizer: Tokenizer, *, room: int) -> None:
        self.room = room
        self._prefixes = prefixes
        self._tokenizer = tokenizer
        self._rows = Rows(model)
        self._samples = np.zeros(0, _SAMPLE)
        self._steps = 0
        # One entry a slot, which a sample keeps for as long as it is written.
        self._free = list(range(room))[::-1]
        self._owner: list[tuple[Writing, int] | None] = [None] * room
        self._tokens = np.zeros((room, MAX_POSITIONS), np.int16)
        self._logprobs: list[list[TokenLogprob]] = [[] for _ in range(room)]
        self._stops = np.zeros((room, model.shape.vocabulary), np.bool_)
        self._watched = np.zeros(room, np.bool_)

    @property
    def active(self) -> int:
        """Samples that are being written."""
        return len(self._samples)

    def owners(self) -> set[Writing]:
        """Requests whose samples are being written."""
        return {owner[0] for owner in self._owner if owner is not None}

    def admit(self, requests: list[Writing]) -> None:
        """Begin with these requests; with what is being written they may not be more samples than `room`."""
        nodes = self._prefixes.read([lines(request.tokens, self._tokenizer.newline) for request in requests])
        starts: dict[tuple[int, float], int] = {}
        new = [self._samples]
        for request, node in zip(requests, nodes, strict=True):
            start = (id(node), request.temperature)
            if start not in starts:
                starts[start] = self._rows.add(node, request.temperature)
            samples = np.zeros(request.n, _SAMPLE)
            samples["row"] = starts[start]
            samples["limit"] = min(request.max_tokens, MAX_POSITIONS - node.end)
            samples["slot"] = [self._occupy(request, index) for index in range(request.n)]
            samples["key"] = sample_keys(request.seed, request.n, request.first)
            new.append(samples)
        self._samples = np.concatenate(new)

    def step(self) -> None:
        """One more token for every sample; tells the owners of those that are over."""
        self._steps += 1
        if self._steps % _CHECK_EVERY == 0:
            self._give_up()
        samples, rows = self._samples, self._rows
        logits = rows.logits[: rows.count]
        tokens = draw(logits, rows.temperatures[: rows.count], samples["row"], samples["key"], samples["place"])
        slots = samples["slot"]
        self._tokens[slots, samples["place"]] = tokens
        samples["place"] += 1
        over = self._stops[slots, tokens] | (samples["place"] >= samples["limit"])
        for sample in np.flatnonzero(self._watched[slots]):
            over[sample] |= self._watch(samples[sample], int(tokens[sample]), logits)
        for sample in np.flatnonzero(over):
            self._finish(int(slots[sample]), int(samples["place"][sample]))
        self._keep(~over, tokens)

    def _keep(self, kept: NDArray[np.bool_], tokens: NDArray[np.intp]) -> None:
        if not kept.all():
            self._samples, tokens = self._samples[kept], tokens[kept]
        self._samples["row"] = self._rows.grow(self._samples["row"], tokens)

    def _occupy(self, request: Writing, index: int) -> int:
        slot = self._free.pop()
        self._owner[slot] = (request, index)
        self._logprobs[slot] = []
        self._stops[slot] = request.stops.tokens
        self._watched[slot] = request.stops.spans or request.top_logprobs is not None or request.on_token is not None
        return slot

    def _watch(self, sample: np.void, token: int, logits: Floats) -> bool:
        """What is done token by token for those that ask for it; whether a stop text has been written."""
        slot = int(sample["slot"])
        owner = self._owner[slot]
        assert owner is not None
        request, index = owner
        if request.top_logprobs is not None:
            self._logprobs[slot].append(_logprob(logits[sample["row"]], token, request.top_logprobs))
        if request.on_token is not None:
            request.on_token(request.first + index, token)
        return request.stops.spans and request.stops.cut(self._written(slot, int(sample["place"])))[1] is not None

    def _written(self, slot: int, count: int) -> list[int]:
        written: list[int] = self._tokens[slot, :count].tolist()
        return written

    def _finish(self, slot: int, count: int) -> None:
        owner = self._leave(slot)
        request, index = owner
        tokens = self._written(slot, count)
        text, stop = request.stops.cut(tokens)
        ended = tokens[-1] == EOS
        request.written[index] = Written(
            tokens=tuple(tokens),
            text=text,
            finish="stop" if ended or stop is not None else "length",
            ended=ended and stop is None,
            stop=stop,
            logprobs=None if request.top_logprobs is None else tuple(self._logprobs[slot]),
        )
        if len(request.written) == request.n:
            with suppress(InvalidStateError):  # cancelled at this very moment
                request.future.set_result([request.written[i] for i in range(request.n)])

    def _leave(self, slot: int) -> tuple[Writing, int]:
        owner = self._owner[slot]
        assert owner is not None
        self._owner[slot] = None
        self._free.append(slot)
        return owner

    def _give_up(self) -> None:
        """Drop the samples of requests that are not wanted any more."""
        owners = (self._owner[slot] for slot in self._samples["slot"])
        wanted = np.array([owner is not None and not owner[0].future.cancelled() for owner in owners], np.bool_)
        if not wanted.all():
            for slot in self._samples["slot"][~wanted]:
                self._leave(int(slot))
            self._samples = self._samples[wanted]


def _logprob(logits: Floats, token: int, top: int) -> TokenLogprob:
    logprobs = log_softmax(logits)
    best = np.argsort(-logprobs, kind="stable")[:top]
    return TokenLogprob(token, float(logprobs[token]), tuple((int(i), float(logprobs[i])) for i in best))
