// The best arm, and its breadth x depth, by bin and budget.

import { get } from "./api.js";
import { amount, el, empty, percent, select, UNITS } from "./dom.js";
import { known } from "./overview.js";

const COLUMNS = 7;
const state = { unit: null };

export async function map() {
  state.unit ??= known(await get("/v1/policies/promoted"));
  const section = el("section", {}, el("h2", {}, "What pays where"), el("p.quiet", {}, "The arm of highest expected accuracy on prompts of each bin, where a prompt may cost so much on average; below it generator and breadth × depth."));
  const content = el("div");
  section.append(content);
  const draw = async () => {
    const unit = state.unit, found = await get("/v1/curves", { unit });
    if (unit !== state.unit) return; // another was chosen meanwhile
    const priced = found.points.filter((p) => p.cost !== null && p.cost > 0);
    const control = el("div.controls", {}, select("Budget in", Object.entries(UNITS), state.unit, (v) => { state.unit = v; draw(); }));
    if (!priced.length) {
      content.replaceChildren(control, empty(`No arm's cost in ${UNITS[unit]} is known: model cards lack it.`, "planner models import FILE && planner fit"));
      return;
    }
    const budgets = spaced(priced);
    const rows = [0, ...found.bin_shares.map((_, i) => i + 1)];
    const cells = (bin) => budgets.map((budget) => cell(found, priced.filter((p) => p.bin === bin && p.cost <= budget * 1.0001)));
    const words = `budgets in ${UNITS[unit]} a prompt; the colour is the expected accuracy`;
    content.replaceChildren(control, el("p.quiet", { id: "map-words" }, words), el("div.scroll", { tabindex: 0, role: "region", "aria-label": "map of the best arm" },
      el("table.map", { "aria-describedby": "map-words" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "prompts"), budgets.map((b) => el("th", { scope: "col" }, amount(b))))),
        el("tbody", {}, rows.map((bin) => el("tr", {}, el("th", { scope: "row" }, bin === 0 ? "all" : `bin ${bin}`), cells(bin)))))));
  };
  await draw();
  return section;
}

function spaced(points) {
  const all = points.filter((p) => p.bin === 0).map((p) => p.cost);
  const low = Math.min(...all), high = Math.max(...all);
  return Array.from({ length: COLUMNS }, (_, i) => low * 1.02 * (high / low) ** (i / (COLUMNS - 1)));
}

function cell(found, within) {
  if (!within.length) return el("td", {}, "–");
  const best = within.reduce((a, b) => (b.accuracy > a.accuracy || (b.accuracy === a.accuracy && b.cost < a.cost) ? b : a));
  const arm = found.arms[best.arm];
  const shade = best.accuracy < 0.4 ? 0 : best.accuracy < 0.6 ? 1 : best.accuracy < 0.75 ? 2 : best.accuracy < 0.9 ? 3 : best.accuracy < 0.97 ? 4 : 5;
  const kind = arm.search === "cascade" ? "cascade" : arm.search === "sampling" ? (arm.breadth * arm.depth === 1 ? "one sample" : arm.selection) : arm.search;
  return el(`td.s${shade}`, { title: found.labels[best.arm] }, el("span.best", {}, `${percent(best.accuracy, 0)} ${kind}`), el("span.ratio", {}, `${generators(arm)} ${arm.breadth} × ${arm.depth}`));
}

const generators = (arm) => (arm.search === "cascade" ? [...new Set(arm.params.stages.map((s) => s.generator))].join(" > ") : arm.generator);
