// Charts: lines with intervals by uPlot, bars as SVG.

import { amount, el, svg } from "./dom.js";

export const COLOURS = 8;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colour = (place) => css(`--c${place % COLOURS}`);

// series: [{name, points: [{x, y, low, high, note}]}]; x on a log scale
export function lines(place, series, { x, y, height = 380 }) {
  const xs = [...new Set(series.flatMap((one) => one.points.map((p) => p.x)))].sort((a, b) => a - b);
  const at = new Map(xs.map((value, i) => [value, i]));
  const data = [xs], shown = [{ label: x }], bands = [];
  series.forEach((one, i) => {
    const columns = ["y", "low", "high"].map((key) => {
      const column = new Array(xs.length).fill(null);
      for (const p of one.points) column[at.get(p.x)] = p[key];
      return column;
    });
    data.push(...columns);
    const stroke = colour(i);
    shown.push(
      { label: one.name, stroke, width: 2, spanGaps: true, points: { show: true, size: 6 } },
      { label: `${one.name}, low`, stroke: "transparent", spanGaps: true, points: { show: false } },
      { label: `${one.name}, high`, stroke: "transparent", spanGaps: true, points: { show: false } },
    );
    bands.push({ series: [3 * i + 3, 3 * i + 2], fill: `${stroke}2b` });
  });
  const axis = { stroke: css("--text"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
  const made = new window.uPlot({
    width: place.clientWidth || 600, height, legend: { show: false },
    scales: { x: { distr: 3, time: false }, y: { range: (_, low, high) => [Math.max(0, low - 0.02), Math.min(1, high + 0.02)] } },
    axes: [
      { ...axis, label: x, values: (_, ticks) => ticks.map((t) => (t === null || !/^[125]/.test(t.toExponential()) ? "" : amount(t))) },
      { ...axis, label: y, values: (_, ticks) => ticks.map((t) => t.toFixed(2)) },
    ],
    series: shown, bands, cursor: { y: false },
  }, data, place);
  new ResizeObserver(() => place.clientWidth && made.setSize({ width: place.clientWidth, height })).observe(place);
  return made;
}

export function legend(names) {
  return el("ul.legend", {}, names.map((name, i) => el("li", {}, svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, svg("circle", { cx: 7, cy: 7, r: 5, fill: colour(i) })), name)));
}

// bars: [{label, value}], as text too for who cannot see them
export function bars(entries, { label, format }) {
  const width = 640, height = 200, most = Math.max(...entries.map((e) => e.value), 1e-9), step = (width - 40) / entries.length;
  const drawn = entries.map((e, i) => {
    const tall = (height - 50) * e.value / most;
    return svg("g", {}, svg("title", {}, `${e.label}: ${format(e.value)}`), svg("rect", { x: 30 + i * step, y: height - 30 - tall, width: Math.max(step - 3, 1), height: tall, fill: colour(0), rx: 2 }));
  });
  const marks = entries.map((e, i) => (i % Math.ceil(entries.length / 6) ? null : svg("text", { x: 30 + (i + 0.5) * step, y: height - 10, "text-anchor": "middle", "font-size": 12, fill: css("--quiet") }, e.label)));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: ${entries.filter((e) => e.value > 0).map((e) => `${e.label} ${format(e.value)}`).join(", ")}`, class: "chart" }, drawn, marks.filter(Boolean));
}

// points: [{x, y, label, size}] on 0..1 x 0..1 with the diagonal
export function diagonal(points, { x, y, label }) {
  const size = 300, pad = 44, place = (v) => pad + v * (size - pad - 8), up = (v) => size - pad - v * (size - pad - 8);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((v) => svg("g", {}, svg("line", { x1: place(v), x2: place(v), y1: up(0), y2: up(1), stroke: css("--line") }), svg("line", { x1: place(0), x2: place(1), y1: up(v), y2: up(v), stroke: css("--line") }), svg("text", { x: place(v), y: up(0) + 16, "text-anchor": "middle", "font-size": 12, fill: css("--quiet") }, v), svg("text", { x: place(0) - 6, y: up(v) + 4, "text-anchor": "end", "font-size": 12, fill: css("--quiet") }, v)));
  const dots = points.map((p) => svg("circle", { cx: place(p.x), cy: up(p.y), r: p.size ?? 6, fill: colour(1), "fill-opacity": 0.8 }, svg("title", {}, p.label)));
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, width: size, role: "img", "aria-label": `${label}: ${points.map((p) => p.label).join("; ")}` }, grid, svg("line", { x1: place(0), y1: up(0), x2: place(1), y2: up(1), stroke: css("--quiet"), "stroke-dasharray": "4 4" }), dots, svg("text", { x: place(0.5), y: size - 8, "text-anchor": "middle", "font-size": 12, fill: css("--text") }, x), svg("text", { x: 12, y: up(0.5), "text-anchor": "middle", "font-size": 12, fill: css("--text"), transform: `rotate(-90 12 ${up(0.5)})` }, y));
}
