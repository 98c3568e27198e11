// How hard prompts are believed to be from their texts, and whether that holds.

import { get } from "./api.js";
import { diagonal, histogram } from "./charts.js";
import { el, empty, percent, table } from "./dom.js";

export async function difficulty() {
  const [found, production, manifest] = await Promise.all([get("/v1/difficulty"), get("/v1/production"), get("/v1/policies/promoted")]);
  const report = manifest.report?.difficulty ?? {};
  const judged = ["predictor", "nearest_neighbours", "dataset_mean", "global_mean"].filter((name) => report[name]);
  return el("section", {}, el("h2", {}, "Difficulty"),
    el("figure", {}, el("figcaption", {}, `Believed pass rate of ${found.reference_generator} on the logged prompts, from their texts alone; each by a predictor that had not seen it`),
      histogram(found.histogram, { x: "believed pass rate", y: "share of prompts", label: "Share of prompts by believed pass rate", format: percent })),
    el("h3", {}, "Calibration"),
    found.calibration.length
      ? el("figure", {}, diagonal(found.calibration.map((c) => ({ x: c.expected, y: c.observed, label: `bin ${c.bin}: expected ${percent(c.expected)}, observed ${percent(c.observed)}` })), { x: "expected of one sample", y: "observed", label: "Calibration by believed bin" }),
        el("figcaption", {}, "Prompts by how far their text spoke for each bin: what was expected of a single sample, and what came."))
      : empty("No single samples of the reference are logged."),
    judged.length ? table([
      { title: "", cell: (n) => n.replaceAll("_", " ") }, { title: "Spearman", number: true, cell: (n) => report[n].spearman?.toFixed(3) },
      { title: "AUC", number: true, cell: (n) => report[n].auc?.toFixed(3) }, { title: "calibration error", number: true, cell: (n) => report[n].calibration_error?.toFixed(3) },
    ], judged, { caption: "On prompts held out" }) : null,
    el("h3", {}, "In production"),
    production.classes.length
      ? el("figure", {}, diagonal(production.classes.map((c) => ({ x: c.forecast, y: c.realised, low: c.realised_low, high: c.realised_high, size: 4 + Math.min(5, Math.sqrt(c.n) / 3), label: `forecast ${percent(c.forecast)}, realised ${percent(c.realised)} (${percent(c.realised_low)} to ${percent(c.realised_high)}) of ${c.n} runs` })), { x: "forecast accuracy", y: "realised", label: "Forecast against realised accuracy" }),
        el("figcaption", {}, `${production.n_graded} graded runs, with 90% intervals; tokens realised over forecast: ${production.tokens?.toFixed(2) ?? "unknown"}`))
      : empty("No carried-out recommendation has a grade yet: log runs with their recommendation_id, and grade them.", "planner grade RUN_ID --correct 1"));
}
