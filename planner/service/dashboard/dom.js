// Elements from plain data: text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), [], attributes, children);
}

function fill(node, classes, attributes, children) {
  if (classes.length) node.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value") node.value = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

// columns: [{title, cell: row => node or text, number}]
export function table(columns, rows, { caption, stack = true } = {}) {
  const head = el("tr", {}, columns.map((c) => el(c.number ? "th.n" : "th", { scope: "col" }, c.title)));
  const made = el(stack ? "table.stack" : "table", {}, caption ? el("caption", {}, caption) : null, el("thead", {}, head), el("tbody", {}, lines(columns, rows)));
  return el("div.scroll", { tabindex: 0, role: "region", "aria-label": caption ?? "table" }, made);
}

const lines = (columns, rows) => rows.map((row) => el("tr", {}, columns.map((c) => el(c.number ? "td.n" : "td.text", { "data-label": c.title }, c.cell(row) ?? "–"))));

export const PAGE = 20;

// A long table, a page at a time. first, and what next() gives: {rows, more: whether there are others}
export function paged(columns, first, next, options) {
  const made = table(columns, first.rows, options);
  let busy = false;
  const more = el("button", { type: "button", hidden: !first.more, onclick: async () => {
    if (busy) return;
    busy = true;
    try {
      const page = await next();
      made.querySelector("tbody").append(...lines(columns, page.rows));
      // The keyboard stays on the button as long as it is there.
      if (!page.more) made.focus({ preventScroll: true });
      more.hidden = !page.more;
    } finally {
      busy = false;
    }
  } }, "Show more");
  return [made, more];
}

export function pages(rows) {
  let shown = 0;
  return () => ({ rows: rows.slice(shown, shown += PAGE), more: shown < rows.length });
}

export function tiles(entries) {
  return el("dl.tiles", {}, entries.map(([name, value, note]) => el("div.tile", {}, el("dt", {}, name), el("dd", {}, value, note ? el("p.quiet", {}, note) : null))));
}

export function empty(words, command) {
  return el("p.empty", {}, words, command ? " " : null, command ? el("code", {}, command) : null);
}

export function select(label, options, value, onchange) {
  const field = el("select", { onchange: (event) => onchange(event.target.value) }, options.map(([key, words]) => el("option", { value: key, selected: String(key) === String(value) }, words)));
  return el("label", {}, label, field);
}

export function signed(value, digits = 1) {
  const rounded = Number(value.toFixed(digits)) || 0; // no minus before a zero
  return `${rounded < 0 ? "" : "+"}${rounded.toFixed(digits)}`;
}

export const percent = (value, digits = 1) => (value === null || value === undefined ? null : `${(100 * value).toFixed(digits)} %`);

export function amount(value) {
  if (value === null || value === undefined) return null;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2).replace("e+", "e");
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 4 : 3 });
}

export const UNITS = { generations: "generations", tokens: "tokens", flops: "FLOPs", usd: "USD", latency_seconds: "seconds" };

export function inUnit(cost, unit) {
  if (unit !== "tokens") return cost[unit];
  const parts = [cost.prompt_tokens, cost.completion_tokens, cost.verifier_tokens];
  return parts.some((part) => part === null) ? null : parts.reduce((a, b) => a + b, 0);
}

export const moment = (text) => el("time", { datetime: text }, text.slice(0, 16).replace("T", " "));
