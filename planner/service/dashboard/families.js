// Arms in families: equal but for their size, so that a family is one line of a chart.

import { inWords, scoredBy } from "./plan.js";

// judged: what tells arms apart that differ in their verifier alone, see below.
function family(arm, judged) {
  if (arm.search === "cascade") return "cascades";
  if (arm.search !== "sampling") return `${arm.generator} ${arm.search}`;
  const told = inWords(arm.params) + judged(arm);
  if (arm.breadth === 1 && arm.depth === 1) return `${arm.generator}, one sample${told}`;
  return `${arm.generator} ${arm.selection}${arm.depth > 1 ? ", revised" : ""}${told}`;
}

// The points of one bin as {family: [{x, y, low, high, label}]}. Where arms of a family differ in more than one number
// (breadth and depth, stages, settings of a search), only those that do better than all cheaper ones.
export function byFamily(curves, bin) {
  const verifiers = new Set(curves.arms.map((arm) => arm.verifier).filter(Boolean));
  const judged = (arm) => (verifiers.size > 1 ? scoredBy(arm) : "");
  const found = new Map(), mixed = new Set();
  for (const p of curves.points) {
    if (p.bin !== bin || p.cost === null || p.cost <= 0) continue;
    const arm = curves.arms[p.arm], name = family(arm, judged);
    if (!found.has(name)) found.set(name, []);
    if (arm.search !== "sampling" || arm.depth > 1) mixed.add(name);
    found.get(name).push({ x: p.cost, y: p.accuracy, low: p.accuracy_low, high: p.accuracy_high, label: curves.labels[p.arm] + judged(arm) });
  }
  for (const [name, points] of found) {
    points.sort((a, b) => a.x - b.x || b.y - a.y);
    let best = -1;
    if (mixed.has(name)) found.set(name, points.filter((p) => p.y > best && ((best = p.y), true)));
  }
  return found;
}
