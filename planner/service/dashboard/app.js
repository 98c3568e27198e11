// Sections by the address's hash; each is a function that returns its element.

import { get, Problem } from "./api.js";
import { el, empty } from "./dom.js";
import { curves } from "./curves.js";
import { difficulty } from "./difficulty.js";
import { map } from "./map.js";
import { overview } from "./overview.js";
import { policies } from "./policies.js";
import { recommendations } from "./recommendations.js";
import { reference } from "./reference.js";
import { tryIt } from "./try.js";

const SECTIONS = { overview, curves, map, difficulty, recommendations, policies, try: tryIt, api: reference };
let turn = 0;
let lost = false; // what is shown is that there is nothing to show yet, or that the service could not answer

async function show() {
  const name = location.hash.slice(1) in SECTIONS ? location.hash.slice(1) : "overview";
  const mine = ++turn;
  const main = document.getElementById("main");
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name} · planner`;
  main.setAttribute("aria-busy", "true");
  let made, away = false;
  try {
    made = await SECTIONS[name]();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    away = [0, 409, 429, 503].includes(error.status);
    made = error.status === 409
      ? el("section", {}, el("h2", {}, "Nothing to show yet"), empty(error.message))
      : el("section", {}, el("h2", {}, "That did not work"), el("p.problem", { role: "alert" }, error.message));
  }
  if (mine !== turn) return;
  lost = away;
  main.replaceChildren(made);
  main.removeAttribute("aria-busy");
  made.dispatchEvent(new CustomEvent("shown"));
}

async function serving() {
  const place = document.getElementById("serving");
  try {
    const found = await get("/readyz");
    place.textContent = `policy ${found.policy}`;
    if (lost) show();
  } catch (error) {
    place.textContent = error.status === 503 ? lacking(error.found ?? {}) : error.message;
  }
}

// What /readyz found missing, in words.
function lacking({ store, policy }) {
  if (store === "SchemaOutdated") return "the store's schema is not that of this version: planner db status tells more";
  if (store !== "ok") return "the store does not answer";
  return policy === "NoActivePolicy" ? "no policy is served yet" : "the policy cannot be read";
}

// Readers and the keyboard begin with the section, eyes with the tabs above it.
function begin() {
  document.getElementById("main").focus({ preventScroll: true });
  scrollTo(0, 0);
}

// What a button or a list asked for in vain is told above what is shown.
function tell(event) {
  if (!(event.reason instanceof Problem)) return;
  event.preventDefault();
  const main = document.getElementById("main");
  main.querySelector(":scope > .problem")?.remove();
  main.prepend(el("p.problem", { role: "alert" }, event.reason.message));
}

window.addEventListener("unhandledrejection", tell);
window.addEventListener("hashchange", () => {
  const place = location.hash.slice(1);
  // To a place within what is shown the browser goes by itself.
  if (place in SECTIONS || !document.getElementById(place)) show().then(begin);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
serving();
setInterval(serving, 15000);
show();
