"""Steps of an answer: where its separator ends them."""

from __future__ import annotations


def steps(text: str, separator: str) -> tuple[str, ...]:
    r"""The steps of a text, without separators; blank ones do not count.

    >>> steps("3 + 4 = 7\n\n7 * 2 = 14\n", "\n")
    ('3 + 4 = 7', '7 * 2 = 14')
    """
    return tuple(part for part in text.split(separator) if part.strip())


def prefix(text: str, separator: str, n_steps: int) -> str:
    r"""The beginning of a text that holds its first `n_steps` steps, the separator behind the last included.

    >>> prefix("3 + 4 = 7\n\n7 * 2 = 14\nAnswer: 14", "\n", 2)
    '3 + 4 = 7\n\n7 * 2 = 14\n'
    """
    parts = text.split(separator)
    seen = 0
    for place, part in enumerate(parts):
        if seen == n_steps:
            return "".join(one + separator for one in parts[:place])
        seen += bool(part.strip())
    return text


def step_separator(text: str) -> str:
    r"""The separator that a text seems to use: an empty line where it has one, else a line's end."""
    return "\n\n" if "\n\n" in text.strip() else "\n"
