// Accuracy against cost: families of arms on prompts of one bin, with 90% intervals.

import { get } from "./api.js";
import { legend, lines } from "./charts.js";
import { amount, el, percent, select, table, UNITS } from "./dom.js";
import { byFamily } from "./families.js";

const FIRST = 5;
const state = { unit: "flops", bin: 0, chosen: null, open: null };

export async function curves() {
  const section = el("section", {}, el("h2", {}, "Accuracy against cost"), el("p.quiet", {}, "What the promoted policy expects of each arm, from the logs; the shade is the 90% interval of the mean."));
  const content = el("div");
  section.append(content);
  const draw = async () => {
    const found = await get("/v1/curves", { unit: state.unit });
    const families = byFamily(found, state.bin);
    const names = [...families.keys()].sort();
    const ranked = [...names].sort((a, b) => Math.max(...families.get(b).map((p) => p.y)) - Math.max(...families.get(a).map((p) => p.y)));
    state.chosen ??= new Set(ranked.slice(0, FIRST));
    const shown = names.filter((name) => state.chosen.has(name));
    const bins = [[0, "all prompts"], ...found.bin_shares.map((_, i) => [i + 1, i === 0 ? "bin 1, the easiest" : i + 1 === found.bin_shares.length ? `bin ${i + 1}, the hardest` : `bin ${i + 1}`])];
    const chart = el("div.chart");
    const pick = names.map((name) => el("label", {}, el("input", { type: "checkbox", checked: state.chosen.has(name), onchange: (e) => { e.target.checked ? state.chosen.add(name) : state.chosen.delete(name); draw(); } }), name));
    content.replaceChildren(
      el("div.controls", {}, select("Prompts", bins, state.bin, (v) => { state.bin = Number(v); draw(); }), select("Cost in", Object.entries(UNITS), state.unit, (v) => { state.unit = v; draw(); })),
      el("details.arms", { open: state.open ?? innerWidth > 640, ontoggle: (e) => { state.open = e.target.open; } }, el("summary", {}, "Arms to draw"), el("fieldset", {}, el("legend", {}, "Arms"), pick)),
      shown.length ? el("figure", {}, chart, legend(shown)) : el("p.empty", {}, names.length ? "Choose arms to draw." : `No arm's cost in ${UNITS[state.unit]} is known: model cards lack it (planner models import FILE).`),
      table([
        { title: "arm", cell: (p) => p.label }, { title: "accuracy", number: true, cell: (p) => percent(p.y) },
        { title: "90% interval", number: true, cell: (p) => `${percent(p.low)} – ${percent(p.high)}` }, { title: UNITS[state.unit], number: true, cell: (p) => amount(p.x) },
      ], shown.flatMap((name) => families.get(name)).sort((a, b) => a.x - b.x), { caption: "The points of the chart" }),
    );
    if (shown.length) lines(chart, shown.map((name) => ({ name, points: families.get(name) })), { x: `expected ${UNITS[state.unit]} a prompt`, y: "accuracy" });
  };
  section.addEventListener("shown", draw, { once: true });
  return section;
}
