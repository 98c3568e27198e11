// A prompt and a budget, and what is recommended.

import { get, post } from "./api.js";
import { amount, el, inUnit, percent, table, tiles, UNITS } from "./dom.js";
import { label, likelyBin, scoredBy, shares } from "./plan.js";

const LIMITS = [["max_generations", "at most, generations"], ["max_tokens", "at most, tokens"], ["max_flops", "at most, FLOPs"], ["max_usd", "at most, USD"], ["max_latency_seconds", "at most, seconds"], ["mean_generations", "on average, generations"], ["mean_tokens", "on average, tokens"], ["mean_flops", "on average, FLOPs"], ["mean_usd", "on average, USD"]];

export async function tryIt() {
  await get("/v1/policies/promoted"); // without one there is nothing to try: the problem says what to do
  const prompt = el("textarea", { required: true, id: "prompt", name: "prompt" });
  const unit = el("select", {}, LIMITS.map(([key, words]) => el("option", { value: key }, words)));
  const value = el("input", { type: "number", min: 0, step: "any", value: 8, required: true, placeholder: "none" });
  const target = el("input", { type: "number", min: 0.01, max: 1, step: "any", placeholder: "none", oninput: () => { value.required = !target.value; } });
  const out = el("div", { "aria-live": "polite" });
  const form = el("form", { onsubmit: async (event) => {
    event.preventDefault();
    const body = { prompt: prompt.value };
    if (value.value) body.budget = { [unit.value]: Number(value.value) };
    if (target.value) body.target_accuracy = Number(target.value);
    try {
      out.replaceChildren(...shown(await post("/v1/recommendations", body)));
    } catch (error) {
      out.replaceChildren(el("p.problem", { role: "alert" }, error.message));
    }
  } }, el("label", { for: "prompt" }, "Prompt"), prompt, el("div.controls", {}, el("label", {}, "Budget", unit), el("label", {}, "of", value), el("label", {}, "Target accuracy", target), el("button.first", { type: "submit" }, "Recommend")));
  return el("section", {}, el("h2", {}, "Try a prompt"), form, out);
}

function shown(plan) {
  const cost = (forecast) => Object.keys(UNITS).map((unit) => [unit, inUnit(forecast.cost, unit)]).filter(([, v]) => v !== null).map(([unit, v]) => `${amount(v)} ${UNITS[unit]}`).join(", ");
  const bin = likelyBin(plan.difficulty);
  return [
    el("h3", {}, label(plan.arm), " ", plan.declined ? el("span.badge", {}, "default") : null),
    el("p", {}, plan.reason),
    plan.arm.verifier ? el("p.quiet", {}, `scored by ${plan.arm.verifier}`) : "",
    tiles([
      ["expected accuracy", percent(plan.forecast.accuracy), `90% interval ${percent(plan.forecast.accuracy_low)} – ${percent(plan.forecast.accuracy_high)}`],
      ["expected cost", cost(plan.forecast)],
      ["difficulty", bin === null ? "unknown" : `bin ${bin}`, `posterior ${shares(plan.difficulty).join(" ")}, from ${plan.difficulty.source}`],
    ]),
    table([
      { title: "runner-up", cell: (a) => label(a.arm) + (a.arm.verifier === plan.arm.verifier ? "" : scoredBy(a.arm)) }, { title: "accuracy", number: true, cell: (a) => percent(a.forecast.accuracy) }, { title: "expected cost", cell: (a) => cost(a.forecast) },
    ], plan.alternatives),
  ];
}
