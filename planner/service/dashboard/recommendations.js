// What was recommended, why, and what came of it.

import { get } from "./api.js";
import { amount, el, empty, inUnit, moment, PAGE, paged, percent } from "./dom.js";
import { label, likelyBin } from "./plan.js";

const COLUMNS = [
  { title: "when (UTC)", cell: (o) => moment(o.created_at) },
  { title: "plan", cell: (o) => el("details", {}, el("summary", {}, label(o.recommendation.arm)), el("p.quiet", {}, o.recommendation.reason), el("p.quiet", {}, `prompt ${o.recommendation.prompt_id}`)) },
  { title: "budget", cell: (o) => budget(o.recommendation.budget) },
  { title: "bin", number: true, cell: (o) => likelyBin(o.recommendation.difficulty) },
  { title: "forecast", number: true, cell: (o) => percent(o.recommendation.forecast.accuracy) },
  { title: "outcome", number: true, cell: (o) => outcome(o.realised) },
  { title: "tokens forecast", number: true, cell: (o) => amount(inUnit(o.recommendation.forecast.cost, "tokens")) },
  { title: "tokens spent", number: true, cell: (o) => (o.realised ? amount(inUnit(o.realised.cost, "tokens")) : null) },
];

export async function recommendations() {
  let before = null;
  const next = async () => {
    const page = await get("/v1/recommendations", { limit: PAGE, before });
    before = page.next_before;
    return { rows: page.outcomes, more: before !== null };
  };
  const first = await next();
  const shown = first.rows.length ? paged(COLUMNS, first, next) : [empty("Nothing has been recommended yet.", 'planner recommend "..." --max-tokens 8000')];
  return el("section", {}, el("h2", {}, "Recent recommendations"), ...shown);
}

// Most are asked for without a run that is logged: that is no failure.
function outcome(realised) {
  if (realised === null) return el("span.quiet", {}, "no run logged");
  if (realised.correct === null) return realised.status === "ok" ? el("span.quiet", {}, "not graded") : realised.status;
  return el(realised.correct >= 0.5 ? "span.good" : "span.bad", {}, realised.correct >= 0.5 ? "✓ right" : "✗ wrong");
}

function budget(given) {
  if (!given) return "–";
  return Object.entries(given).filter(([, v]) => v !== null).map(([k, v]) => `${k.replace("max_", "at most ").replace("mean_", "mean ").replaceAll("_", " ")} ${amount(v)}`).join(", ") || "–";
}
