"""What a model has read already: texts cut into lines, as a tree whose nodes keep keys and values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from planner.lab import attention
from planner.lab.attention import KEY_BLOCK, KeyValues
from planner.lab.llama import Llama
from planner.lab.weights import Floats

Line = tuple[int, ...]
_PLACES_AT_ONCE = 16_384  # places of keys and values that one pass holds: more takes memory and is no faster


@dataclass(eq=False)
class Node:
    """A line after the lines of its parents.

    end: tokens up to and with it. keys, values: of its own tokens, (layers, kv heads, tokens, features).
    logits: after its last token. extra: what the owner of the tree keeps with it.
    """

    parent: Node | None
    line: Line
    end: int
    keys: Floats
    values: Floats
    logits: Floats
    extra: object = None
    children: dict[Line, Node] = field(default_factory=dict)

    def write(self, memory: KeyValues, row: int) -> None:
        """Lay the keys and values of the whole path into a row of the memory."""
        node: Node | None = self
        while node is not None and node.line:
            start = node.end - len(node.line)
            memory[0][:, row, :, start : node.end] = node.keys
            memory[1][:, row, :, start : node.end] = node.values
            node = node.parent


def lines(tokens: Iterable[int], newline: int) -> list[Line]:
    """Tokens cut behind each line end; the last piece may lack one."""
    pieces: list[Line] = []
    piece: list[int] = []
    for token in tokens:
        piece.append(token)
        if token == newline:
            pieces.append(tuple(piece))
            piece = []
    return [*pieces, tuple(piece)] if piece else pieces


class Prefixes:
    """Texts that one model has read, least recently used ones forgotten beyond `max_bytes`.

    on_read: is told of new nodes and the logits (tokens, vocabulary) that foretold the tokens of their lines.
    """

    def __init__(
        self,
        model: Llama,
        *,
        max_bytes: int = 120_000_000,
        on_read: Callable[[Sequence[Node], Floats], None] | None = None,
    ) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._on_read = on_read
        shape = model.shape
        nothing = np.zeros((shape.layers, shape.kv_heads, 0, shape.head_width + 1), np.float32)
        self._root = Node(None, (), 0, nothing, nothing, np.zeros(shape.vocabulary, np.float32))
        self._recent: OrderedDict[int, Node] = OrderedDict()
        self._bytes = 0

    def read(self, texts: Sequence[Sequence[Line]]) -> list[Node]:
        """The last node of each text; what has not been read yet is read, each common beginning once."""
        nodes = [self._root] * len(texts)
        for depth in range(max(map(len, texts), default=0)):
            missing: dict[tuple[int, Line], tuple[Node, Line]] = {}
            for node, text in zip(nodes, texts, strict=True):
                if depth < len(text) and text[depth] not in node.children:
                    missing[id(node), text[depth]] = (node, text[depth])
            self._read_lines(list(missing.values()))
            nodes = [
                node.children[text[depth]] if depth < len(text) else node
                for node, text in zip(nodes, texts, strict=True)
            ]
        self._remember(nodes)
        return nodes

    def _read_lines(self, missing: list[tuple[Node, Line]]) -> None:
        missing.sort(key=lambda pair: pair[0].end + len(pair[1]))
        while missing:
            places = -(-(missing[-1][0].end + len(missing[-1][1])) // KEY_BLOCK) * KEY_BLOCK
            count = max(_PLACES_AT_ONCE // places, 1)
            self._pass(missing[-count:], places)
            del missing[-count:]

    def _pass(self, pairs: list[tuple[Node, Line]], places: int) -> None:
        memory = attention.empty(self._model, len(pairs), places)
        for row, (parent, _) in enumerate(pairs):
            parent.write(memory, row)
        tokens = np.array([token for _, line in pairs for token in line], dtype=np.intp)
        rows = np.repeat(np.arange(len(pairs)), [len(line) for _, line in pairs])
        positions = np.concatenate([np.arange(parent.end, parent.end + len(line)) for parent, line in pairs])
        logits = attention.stretches(self._model, memory, tokens, rows, positions)
        ends = np.cumsum([len(line) for _, line in pairs])
        nodes = []
        for row, ((parent, line), end) in enumerate(zip(pairs, ends, strict=True)):
            place = slice(parent.end, parent.end + len(line))
            keys, values = (np.ascontiguousarray(part[:, row, :, place]) for part in memory)
            node = Node(parent, line, parent.end + len(line), keys, values, logits[end - 1].copy())
            parent.children[line] = node
            nodes.append(node)
        if self._on_read is not None:
            foretold = np.roll(logits, 1, axis=0)
            foretold[ends - [len(line) for _, line in pairs]] = [parent.logits for parent, _ in pairs]
            self._on_read(nodes, foretold)

    def _remember(self, nodes: Iterable[Node]) -> None:
        # From the leaf up: a parent is always more recent than its children, so that these are forgotten first.
        for leaf in nodes:
            node = leaf
            while node.parent is not None:
                if self._recent.pop(id(node), None) is None:
                    self._bytes += node.keys.nbytes + node.values.nbytes
                self._recent[id(node)] = node
                node = node.parent
        while self._bytes > self._max_bytes and self._recent:
            _, old = self._recent.popitem(last=False)
            self._bytes -= old.keys.nbytes + old.values.nbytes
            assert old.parent is not None
            del old.parent.children[old.line]
