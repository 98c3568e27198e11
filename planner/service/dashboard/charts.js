// Charts: lines with intervals by uPlot, the others as SVG.

import { amount, el, svg } from "./dom.js";

export const COLOURS = 8;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colour = (place) => css(`--c${place % COLOURS}`);
// No two of three times as many lines look alike, and one that lies upon another leaves it to be seen.
const DASHES = [[], [9, 5], [2, 4]];
const dash = (place) => DASHES[place % DASHES.length];

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
      { label: one.name, stroke, dash: dash(i), width: 2, spanGaps: true, points: { show: true, size: 6 } },
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
      { ...axis, label: y, size: 60, values: (_, ticks, __, ___, step) => ticks.map((t) => t.toFixed(digits(step))) },
    ],
    series: shown, bands, cursor: { y: false }, hooks: { draw: [(made) => alone(made, series)] },
  }, data, place);
  new ResizeObserver(() => place.clientWidth && made.setSize({ width: place.clientWidth, height })).observe(place);
  return made;
}

// So many that no two ticks read alike.
function digits(step) {
  let n = 2;
  while (n < 8 && Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) > 1e-6) n += 1;
  return n;
}

// The interval of a line of one point: a shade has no width there.
function alone(made, series) {
  series.forEach(({ points }, i) => {
    if (points.length !== 1) return;
    const [{ x, low, high }] = points;
    const at = made.valToPos(x, "x", true), ends = [low, high].map((v) => made.valToPos(v, "y", true)), half = 4 * devicePixelRatio;
    made.ctx.strokeStyle = colour(i);
    made.ctx.lineWidth = 1.5 * devicePixelRatio;
    made.ctx.beginPath();
    made.ctx.moveTo(at, ends[0]);
    made.ctx.lineTo(at, ends[1]);
    for (const end of ends) {
      made.ctx.moveTo(at - half, end);
      made.ctx.lineTo(at + half, end);
    }
    made.ctx.stroke();
  });
}

export function legend(names) {
  return el("ul.legend", {}, names.map((name, i) => el("li", {}, svg("svg", { width: 30, height: 14, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 30, y1: 7, y2: 7, stroke: colour(i), "stroke-width": 2.5, "stroke-dasharray": dash(i).join(" ") || null })), name)));
}

const SIZE = 13; // of letters
const words = (x, y, text, more = {}) => svg("text", { x, y, "text-anchor": "middle", "font-size": SIZE, fill: css("--quiet"), ...more }, text);
const line = (x1, y1, x2, y2, more = {}) => svg("line", { x1, x2, y1, y2, stroke: css("--line"), ...more });
const title = (x, y, text, upright) => words(x, y, text, { fill: css("--text"), transform: upright ? `rotate(-90 ${x} ${y})` : null });

// classes: [{low, high, share}] from 0 to 1, as text too for who cannot see them
export function histogram(classes, { x, y, label, format }) {
  const width = 440, height = 230, left = 58, top = 10, right = width - 14, bottom = height - 44;
  const most = Math.max(...classes.map((c) => c.share), 1e-9);
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((one) => most / one <= 4.5) ?? 0.25;
  const across = (v) => left + v * (right - left), up = (v) => bottom - (v / most) * (bottom - top);
  const levels = Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "chart", "aria-label": `${label}: ${classes.filter((c) => c.share > 0).map((c) => `${span(c)} ${format(c.share)}`).join(", ")}` },
    levels.map((v) => svg("g", {}, line(left, up(v), right, up(v)), words(left - 6, up(v) + 4, format(v, 0), { "text-anchor": "end" }))),
    classes.map((c) => svg("g", {}, svg("title", {}, `${span(c)}: ${format(c.share)}`), svg("rect", { x: across(c.low) + 1, y: up(c.share), width: across(c.high) - across(c.low) - 2, height: bottom - up(c.share), fill: colour(0) }))),
    [0, 0.2, 0.4, 0.6, 0.8, 1].map((v) => svg("g", {}, line(across(v), bottom, across(v), bottom + 4, { stroke: css("--quiet") }), words(across(v), bottom + 18, v))),
    title((left + right) / 2, height - 6, x), title(14, (top + bottom) / 2, y, true));
}

const span = ({ low, high }) => `${low.toFixed(2)} to ${high.toFixed(2)}`;

// points: [{x, y, low, high, label, size}] on 0..1 x 0..1 with the diagonal; low and high: of y, where they are known
export function diagonal(points, { x, y, label }) {
  const size = 320, pad = 50, rim = 14, place = (v) => pad + v * (size - pad - rim), up = (v) => size - pad - v * (size - pad - rim);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((v) => svg("g", {}, line(place(v), up(0), place(v), up(1)), line(place(0), up(v), place(1), up(v)), words(place(v), up(0) + 18, v), words(place(0) - 6, up(v) + 4, v, { "text-anchor": "end" })));
  const dots = points.map((p) => svg("g", {}, svg("title", {}, p.label), p.low === undefined ? null : line(place(p.x), up(p.low), place(p.x), up(p.high), { stroke: colour(1), "stroke-width": 2 }), svg("circle", { cx: place(p.x), cy: up(p.y), r: p.size ?? 6, fill: colour(1), "fill-opacity": 0.8 })));
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, width: size, role: "img", "aria-label": `${label}: ${points.map((p) => p.label).join("; ")}` }, grid,
    line(place(0), up(0), place(1), up(1), { stroke: css("--quiet"), "stroke-dasharray": "4 4" }), dots, title(place(0.5), size - 8, x), title(14, up(0.5), y, true));
}
