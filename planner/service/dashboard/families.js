// Arms in families: equal but for their size, so that a family is one line of a chart.

export function family(arm) {
  if (arm.search === "cascade") return "cascades";
  if (arm.search !== "sampling") return `${arm.generator} ${arm.search}`;
  if (arm.breadth === 1 && arm.depth === 1) return `${arm.generator}, one sample`;
  return `${arm.generator} ${arm.selection}${arm.depth > 1 ? ", revised" : ""}`;
}

// The points of one bin as {family: [{x, y, low, high, label}]}, only the best of each family at each cost.
export function byFamily(curves, bin) {
  const found = new Map();
  for (const p of curves.points) {
    if (p.bin !== bin || p.cost === null || p.cost <= 0) continue;
    const name = family(curves.arms[p.arm]);
    if (!found.has(name)) found.set(name, []);
    found.get(name).push({ x: p.cost, y: p.accuracy, low: p.accuracy_low, high: p.accuracy_high, label: curves.labels[p.arm], arm: p.arm });
  }
  for (const [name, points] of found) {
    points.sort((a, b) => a.x - b.x);
    // A line through arms that cost the same and do worse says nothing.
    let best = -1;
    const kept = name.includes("revised") || name === "cascades" ? points.filter((p) => p.y > best && ((best = p.y), true)) : points;
    found.set(name, kept);
  }
  return found;
}
