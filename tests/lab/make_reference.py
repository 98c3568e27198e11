"""Write tests/lab/data/reference.json: what torch and transformers make of the lab's weights.

Not a test. In an environment of its own (nothing of the planner is imported):

    python -m venv reference && reference/bin/pip install torch==2.13.0 transformers safetensors numpy tokenizers
    reference/bin/python tests/lab/make_reference.py

For 20 prompts: the greedy text of each generator with the log-probabilities of its tokens, the reviser's second
attempt, and the verifier's step scores of three answers a prompt. The statistics of a step are written down a second
time here, from the laboratory's description, so that the package's own are held against another reading of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "planner" / "lab" / "weights"
OUTPUT = Path(__file__).parent / "data" / "reference.json"
PROMPTS = Path(__file__).parent / "data" / "prompts.json"
EOS = 2
GENERATORS = {"lab-small": "small", "lab-large": "large", "lab-reviser": "revision"}

tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(WEIGHTS / "tokenizer.json"),
    bos_token="<bos>",
    eos_token="<eos>",
    pad_token="<pad>",
    unk_token="<unk>",
    clean_up_tokenization_spaces=False,
)
tokenizer.chat_template = (WEIGHTS / "chat_template.jinja").read_text("utf-8")
NEWLINE = tokenizer.convert_tokens_to_ids("\n")


def load(folder: str) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(WEIGHTS / folder, dtype=torch.float32).eval()


def conversation(*messages: tuple[str, str]) -> list[int]:
    text = tokenizer.apply_chat_template([{"role": r, "content": c} for r, c in messages], tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def encode(text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def logprobs(model: LlamaForCausalLM, tokens: list[int]) -> torch.Tensor:
    return torch.log_softmax(model(torch.tensor([tokens])).logits[0].float(), -1)


@torch.no_grad()
def greedy(model: LlamaForCausalLM, tokens: list[int]) -> dict[str, object]:
    written: list[int] = []
    while len(written) < 130 and written[-1:] != [EOS]:
        written.append(int(model(torch.tensor([tokens + written])).logits[0, -1].argmax()))
    table = logprobs(model, tokens + written)[len(tokens) - 1 : -1]
    own = table[torch.arange(len(written)), torch.tensor(written)]
    return {
        "text": tokenizer.decode([t for t in written if t != EOS]),
        "tokens": written,
        "logprobs": [round(float(x), 6) for x in own],
    }


def step_scores(
    model: LlamaForCausalLM, head: dict[str, torch.Tensor], prompt: list[int], answer: list[int]
) -> list[float]:
    table = logprobs(model, prompt + answer)[len(prompt) - 1 : -1]
    own = table[torch.arange(len(answer)), torch.tensor(answer)]
    entropy = -(table.exp() * table).sum(-1)
    gap = own - table.max(-1).values
    ends = [i + 1 for i, t in enumerate(answer) if t in (NEWLINE, EOS)] or [len(answer)]
    rows = []
    for step, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        here, so_far = slice(start, end), slice(0, end)
        rows.append([
            own[so_far].sum(), min(own[so_far].min(), 0.0), own[here].sum(), own[here].min(), step,
            float(answer[end - 1] == EOS), (own[so_far] < -2).sum(), entropy[here].max(), entropy[here].sum(),
            entropy[so_far].sum(), entropy[so_far].max(), gap[here].sum(), gap[so_far].sum(),
        ])  # fmt: skip
    features = (torch.tensor(rows, dtype=torch.float32) - head["mu"]) / head["sd"]
    inner = torch.nn.functional.gelu(features @ head["net.0.weight"].T + head["net.0.bias"])
    return [round(float(x), 6) for x in torch.sigmoid(inner @ head["net.2.weight"].T + head["net.2.bias"])[:, 0]]


def main() -> None:
    generators = {name: load(folder) for name, folder in GENERATORS.items()}
    prm, head = load("prm"), load_file(WEIGHTS / "prm" / "head.safetensors")
    records = []
    for case in json.loads(PROMPTS.read_text("utf-8")):
        prompt = conversation(("user", case["prompt"]))
        record: dict[str, object] = {**case, "greedy": {n: greedy(m, prompt) for n, m in generators.items()}}
        first = record["greedy"]["lab-reviser"]["text"]
        again = conversation(("user", case["prompt"]), ("assistant", first), ("user", "Revise:"))
        record["revised"] = greedy(generators["lab-reviser"], again)
        answers = [record["greedy"]["lab-small"]["text"], case["solution"], case["wrong"]]
        record["scored"] = [
            {"answer": text, "step_scores": step_scores(prm, head, prompt, [*encode(text), EOS])} for text in answers
        ]
        partial = case["solution"].split("\n")[0] + "\n"
        record["scored"].append({"answer": partial, "step_scores": step_scores(prm, head, prompt, encode(partial))})
        records.append(record)
    OUTPUT.write_text("[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
