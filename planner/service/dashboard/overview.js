// What is served, what it was worth on prompts held out, and what it saves.

import { get } from "./api.js";
import { amount, el, empty, percent, signed, table, tiles, UNITS } from "./dom.js";

export async function overview() {
  const [manifest, production] = await Promise.all([get("/v1/policies/promoted"), get("/v1/production")]);
  const savings = await get("/v1/savings", { unit: known(manifest) });
  const report = manifest.report;
  return el("section", {}, el("h2", {}, "Overview"), tiles([
    ["fitted from", `${manifest.n_prompts.toLocaleString("en")} prompts`, `${manifest.n_samples.toLocaleString("en")} samples`],
    ["arms", manifest.arms.length, `difficulty by ${manifest.reference_generator}`],
    ["saved so far", savings.times ? `${savings.times.toFixed(1)} ×` : "–", saved(savings)],
    ["right in production", production.drift === null ? "–" : `${signed(100 * production.drift)} points`, production.drift === null ? "no graded run yet" : `realised less forecast, 90% interval ${signed(100 * production.drift_low)} to ${signed(100 * production.drift_high)}, ${production.n_graded} graded runs`],
  ]), ...(report ? held(report) : [empty("Too few prompts were graded to hold any out: there is no report.")]));
}

function saved(savings) {
  if (savings.n_plans === 0) return "no plan has been carried out yet";
  if (savings.times) return `${UNITS[savings.unit]} of best-of-N at equal accuracy, ${savings.n_reached} of ${savings.n} plans`;
  return savings.n === 0 ? `what plans cost in ${UNITS[savings.unit]} is not known` : `best-of-N reaches the accuracy of none of ${savings.n} plans`;
}

// The unit of its held-out report is one in which a policy knows what its arms cost.
export const known = (manifest) => manifest.report?.unit ?? "generations";

export function held(report) {
  const unit = UNITS[report.unit] ?? report.unit;
  const mine = report.lines.filter((line) => line.contender === "policy");
  const gain = (g) => (g ? `${signed(g.value)} (${signed(g.low)} to ${signed(g.high)})` : null);
  return [
    el("h3", {}, "On prompts held out"),
    table([
      { title: `mean ${unit}`, number: true, cell: (l) => amount(l.budget_value) },
      { title: "accuracy", number: true, cell: (l) => percent(l.accuracy) },
      { title: `spent, ${unit}`, number: true, cell: (l) => amount(l.cost) },
      { title: "points over the hull of all arms", number: true, cell: (l) => gain(l.gain) },
      { title: "points over the hull of fixed arms", number: true, cell: (l) => gain(l.gain_fixed) },
    ], mine, { caption: `${report.n_prompts} prompts, ${report.n_folds} folds; 90% intervals by paired bootstrap` }),
    el("h3", {}, "Cost at equal accuracy"),
    table([
      { title: "baseline", cell: (m) => m.baseline },
      { title: "accuracy", number: true, cell: (m) => percent(m.accuracy) },
      { title: `its ${unit}`, number: true, cell: (m) => amount(m.cost) },
      { title: "times dearer than the policy", number: true, cell: (m) => (m.times === null ? "not reached" : `${m.times.toFixed(1)} ×`) },
    ], report.multiples),
  ];
}
