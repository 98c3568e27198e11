// Accuracy against cost: families of arms on prompts of one bin, with 90% intervals.

import { get } from "./api.js";
import { legend, lines } from "./charts.js";
import { amount, el, empty, paged, pages, percent, select, UNITS } from "./dom.js";
import { byFamily } from "./families.js";
import { known } from "./overview.js";

const FIRST = 5;
const state = { unit: null, bin: 0, chosen: null, open: null };
const COLUMNS = [
  { title: "arm", cell: (p) => p.label }, { title: "accuracy", number: true, cell: (p) => percent(p.y) },
  { title: "90% interval", number: true, cell: (p) => `${percent(p.low)} – ${percent(p.high)}` },
];

export async function curves() {
  state.unit ??= known(await get("/v1/policies/promoted"));
  let found = await get("/v1/curves", { unit: state.unit });
  let families, names;
  const arms = el("div"), drawn = el("div");
  const draw = () => {
    const shown = names.filter((name) => state.chosen.has(name));
    if (!shown.length) {
      drawn.replaceChildren(names.length ? empty("Choose arms to draw.") : empty(`No arm's cost in ${UNITS[found.unit]} is known: model cards lack it.`, "planner models import FILE && planner fit"));
      return;
    }
    const chart = el("div.chart");
    const next = pages(shown.flatMap((name) => families.get(name)).sort((a, b) => a.x - b.x));
    const columns = [...COLUMNS, { title: UNITS[found.unit], number: true, cell: (p) => amount(p.x) }];
    drawn.replaceChildren(el("figure", {}, chart, legend(shown)), ...paged(columns, next(), next, { caption: "The points of the chart" }));
    lines(chart, shown.map((name) => ({ name, points: families.get(name) })), { x: `expected ${UNITS[found.unit]} a prompt`, y: "accuracy" });
  };
  const pick = (name) => el("label", {}, el("input", { type: "checkbox", checked: state.chosen.has(name), onchange: (e) => { e.target.checked ? state.chosen.add(name) : state.chosen.delete(name); draw(); } }), name);
  const choose = () => {
    families = byFamily(found, state.bin);
    names = [...families.keys()].sort();
    const ranked = [...names].sort((a, b) => Math.max(...families.get(b).map((p) => p.y)) - Math.max(...families.get(a).map((p) => p.y)));
    if (!names.some((name) => state.chosen?.has(name))) state.chosen = new Set(ranked.slice(0, FIRST));
    arms.replaceChildren(el("details.arms", { open: state.open ?? innerWidth > 640, ontoggle: (e) => { state.open = e.target.open; } }, el("summary", {}, "Arms to draw"), el("fieldset", {}, el("legend", {}, "Arms"), names.map(pick))));
    draw();
  };
  const bins = [[0, "all prompts"], ...found.bin_shares.map((_, i) => [i + 1, i === 0 ? "bin 1, the easiest" : i + 1 === found.bin_shares.length ? `bin ${i + 1}, the hardest` : `bin ${i + 1}`])];
  const section = el("section", {}, el("h2", {}, "Accuracy against cost"), el("p.quiet", {}, "What the promoted policy expects of each arm, from the logs; the shade is the 90% interval of the mean."),
    el("div.controls", {}, select("Prompts", bins, state.bin, (v) => { state.bin = Number(v); choose(); }), select("Cost in", Object.entries(UNITS), state.unit, async (v) => { found = await get("/v1/curves", { unit: v }); state.unit = v; choose(); })),
    arms, drawn);
  // The chart takes its width from the page.
  section.addEventListener("shown", choose, { once: true });
  return section;
}
