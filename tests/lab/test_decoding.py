"""Rows that are shared, branch and are dropped give what each sample would have been given by itself, bit by bit."""

from __future__ import annotations

import random

import numpy as np
import pytest

from planner.lab.chains import Chains
from planner.lab.decoding import Decoder, Writing, Written
from planner.lab.llama import Llama
from planner.lab.prefixes import Prefixes, lines
from planner.lab.problems import problems
from planner.lab.stops import Stops
from planner.lab.tokenizer import BOS, tokenizer
from planner.lab.weights import load

WORDS = tokenizer()
NEWLINE = WORDS.newline
PROBLEMS = problems(40, seed=21)


def writings(count: int) -> list[Writing]:
    """Requests of mixed sizes, lengths, temperatures and stop texts, with exact log-probabilities."""
    stops = [Stops(WORDS, stop) for stop in ((), ("\n",), ("Answer", "= 1"))]
    return [
        Writing(
            tokens=(BOS, *WORDS.encode(problem.prompt + "\n")),
            n=1 + place % 5,
            seed=place,
            temperature=(0.0, 0.8, 1.4)[place % 3],
            max_tokens=(130, 20, 300)[place % 7 % 3],
            stops=stops[place % 4 % 3],
            top_logprobs=0,
        )
        for place, problem in enumerate(PROBLEMS[:count])
    ]


def write(decoder: Decoder, requests: list[Writing], *, every: int = 1) -> None:
    """Admit one request every so many tokens, as long as there is room."""
    waiting = requests[::-1]
    step = 0
    while waiting or decoder.active:
        if waiting and step % every == 0 and decoder.active + waiting[-1].n <= decoder.room:
            decoder.admit([waiting.pop()])
        decoder.step()
        step += 1


def decoder(name: str, room: int) -> Decoder:
    model = Llama(load(name))
    return Decoder(model, Prefixes(model), WORDS, room=room)


def results(requests: list[Writing]) -> dict[int, list[Written]]:
    return {request.seed: request.future.result() for request in requests}


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with np.errstate(over="ignore"):
        yield


@pytest.mark.parametrize(("name", "count"), [("small", 40), ("large", 6)])
def test_numbers_do_not_depend_on_what_is_written_beside(name: str, count: int):
    together, crowded, alone = writings(count), writings(count), writings(count)
    busy = decoder(name, room=200)
    busy.admit(together)
    write(busy, [])
    random.Random(0).shuffle(crowded)
    write(decoder(name, room=9), crowded, every=3)
    single = decoder(name, room=5)
    for request in alone:
        write(single, [request])
    assert results(together) == results(crowded) == results(alone)


def test_numbers_do_not_depend_on_how_a_prefix_was_read():
    model = Llama(load("small"))
    for problem in PROBLEMS[:8]:
        pieces = lines([BOS, *WORDS.encode(problem.prompt + "\n" + problem.solution + "\n")], NEWLINE)
        at_once = Prefixes(model).read([pieces])[0]
        tree = Prefixes(model)
        for end in range(1, len(pieces)):
            tree.read([pieces[:end], lines([BOS, *WORDS.encode("Start with 1. How many now?\n")], NEWLINE)])
        assert (tree.read([pieces])[0].logits == at_once.logits).all()


def test_forgotten_prefixes_are_read_again_alike():
    model = Llama(load("small"))
    texts = [lines([BOS, *WORDS.encode(p.prompt + "\n" + p.solution)], NEWLINE) for p in PROBLEMS]
    roomy, tight = Prefixes(model), Prefixes(model, max_bytes=100_000)
    for _ in range(2):
        for text in texts:
            assert (roomy.read([text])[0].logits == tight.read([text])[0].logits).all()


def test_samples_of_a_cancelled_request_are_dropped():
    busy = decoder("small", room=100)
    doomed, kept = writings(2)
    doomed.n, doomed.max_tokens, doomed.temperature = 50, 900, 3.0
    busy.admit([doomed, kept])
    doomed.future.cancel()
    for _ in range(16):
        busy.step()
    assert busy.active <= kept.n
    write(busy, [])
    assert len(kept.future.result()) == kept.n


def test_lookahead_reads_its_chain_once_though_the_rollouts_end():
    chains = Chains(NEWLINE)
    prompt, first, second, end = ((BOS, 50, NEWLINE), (60, NEWLINE), (61, NEWLINE), (70, 71))
    chains.cached("lab-small", prompt, first)  # a rollout goes on from the first step
    assert chains.read(prompt, [first + end]) == [len(prompt + first + end)]
    chains.cached("lab-small", prompt, first + second)
    assert chains.read(prompt, [first + second + end]) == [len(second + end)]


def test_a_prefix_is_cached_up_to_the_line_that_is_known():
    chains = Chains(NEWLINE)
    prompt, first, second = (BOS, 50, NEWLINE), (60, NEWLINE), (61, NEWLINE)
    chains.wrote("lab-small", prompt + first)
    assert chains.cached("lab-small", prompt, first + second) == len(prompt + first)
    assert chains.cached("lab-small", prompt, second) == 0
    assert chains.cached("lab-large", prompt, first) == 0
    assert chains.cached("lab-small", prompt, ()) == 0
