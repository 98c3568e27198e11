"""From a server's answer to completions: what was written beyond the prefix, cut at stop texts, with its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from planner.core import Completion, Generate
from planner.execution.openai.answer import Answer
from planner.execution.openai.parsing import FILTERED, Choice, Usage, read_choices, read_usage
from planner.execution.openai.texts import own_text, restarted
from planner.execution.openai.tokens import TokenEstimate, prompt_bytes, text_bytes


def absorbing(kept: tuple[Completion, ...], dropped: Sequence[Completion]) -> tuple[Completion, ...]:
    """The completions, the first of them bearing the tokens of those that were dropped: they are billed too."""
    if not kept or not dropped:
        return kept
    first, *others = kept
    both = (first, *dropped)
    return (
        replace(
            first,
            prompt_tokens=sum(each.prompt_tokens or 0 for each in both),
            cached_tokens=sum(each.cached_tokens for each in both),
            completion_tokens=sum(each.completion_tokens or 0 for each in both),
            billed_prompt_tokens=sum(each.billed_prompt_tokens or 0 for each in both),
            estimated=any(each.estimated for each in both),
        ),
        *others,
    )


def begins_anew(answer: Answer, request: Generate, unproven: frozenset[str]) -> bool:
    """Whether a server took the message that was left open for a finished one, and began the answer again."""
    if "final_message" not in unproven:
        return False
    return any(restarted(choice.text or "", request.prefix) for choice in read_choices(answer.data))


def stops_at_once(completions: Sequence[Completion], request: Generate, unproven: frozenset[str]) -> bool:
    """Whether a stop text that stands at the end of the prefix is written, and met, once more."""
    if not {"stop", "final_message"} <= unproven | {"stop"} or not request.prefix.endswith(request.stop):
        return False
    return any(said.text == "" and said.finish == "stop" and said.ended is not True for said in completions)


def read_completions(
    answer: Answer, request: Generate, *, stop_sent: bool, estimate: TokenEstimate
) -> tuple[Completion, ...]:
    """The completions of an answer, with the request's tokens shared among them; the estimate learns from them.

    prompt_tokens: all of the prompt for each, billed once, to the first. completion_tokens: the server's total,
    shared by the lengths of the texts (hidden reasoning in equal parts), so that the sum is what is billed.
    """
    choices = read_choices(answer.data)
    usage = read_usage(answer.data)
    if not choices and usage.completion_tokens is not None:
        choices = [Choice(None, "error")]  # nothing came, yet it is billed
    if not choices:
        return ()
    written = [text_bytes(choice.text or "") for choice in choices]
    prompt, prompt_estimated = _prompt_tokens(request, usage, estimate)
    counts, counts_estimated = _completion_tokens(written, usage, estimate)
    shared = Completion(
        "",
        prompt_tokens=prompt,
        cached_tokens=usage.cached_tokens,
        latency_seconds=answer.seconds,
        estimated=prompt_estimated or counts_estimated,
    )
    return tuple(
        _completion(
            choice,
            request,
            replace(shared, completion_tokens=counts[place], billed_prompt_tokens=0 if place else prompt),
            stop_sent=stop_sent,
        )
        for place, choice in enumerate(choices)
    )


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers that add up to `total`, as near as can be to the weights' proportions.

    >>> share(10, [1, 1, 2])
    [2, 3, 5]
    """
    weights = weights if sum(weights) else [1] * len(weights)
    ends = [total * so_far // sum(weights) for so_far in accumulate(weights)]
    return [end - start for start, end in pairwise([0, *ends])]


def _completion(choice: Choice, request: Generate, counted: Completion, *, stop_sent: bool) -> Completion:
    if choice.text is None and choice.finish == "stop" and request.prefix:
        return replace(counted, ended=True)  # nothing more to say is a fair end of an answer that has begun
    if choice.text is None or choice.finish == "error":
        return replace(counted, text=choice.text or "", finish="error", filtered=choice.said in FILTERED)
    text, was_cut = own_text(choice.text, request, stop_sent=stop_sent)
    if was_cut:
        return replace(counted, text=text, ended=False)
    # Where no stop text was sent, only the model itself can have ended it.
    only_model = choice.finish == "stop" and not (request.stop and stop_sent)
    return replace(counted, text=text, finish=choice.finish, ended=True if only_model else choice.ended)


def _prompt_tokens(request: Generate, usage: Usage, estimate: TokenEstimate) -> tuple[int, bool]:
    if usage.prompt_tokens is None:
        return estimate.prompt_tokens(request.messages, request.prefix), True
    estimate.learn(prompt_bytes(request.messages, request.prefix), usage.prompt_tokens)
    return usage.prompt_tokens, False


def _completion_tokens(written: list[int], usage: Usage, estimate: TokenEstimate) -> tuple[list[int], bool]:
    total = usage.completion_tokens
    if total is None:
        return [estimate.tokens(size) for size in written], True
    visible = total - usage.reasoning_tokens
    estimate.learn(sum(written), visible)
    hidden = share(usage.reasoning_tokens, [1] * len(written))
    return [a + b for a, b in zip(share(visible, written), hidden, strict=True)], False
