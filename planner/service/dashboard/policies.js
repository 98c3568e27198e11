// Fitted policies, their held-out reports, and which one is served.

import { get, post } from "./api.js";
import { el, moment, empty } from "./dom.js";
import { held } from "./overview.js";

const LOOK_AGAIN = 2000;

export async function policies() {
  const said = el("p", { role: "status", tabindex: -1 });
  const cards = el("div"), progress = el("p.quiet");
  let shown = null, timer = null;
  const load = async () => {
    clearTimeout(timer);
    let runs = true; // for all that is known where the service does not answer
    try {
      const [{ policies: all }, { fits }] = await Promise.all([get("/v1/policies"), get("/v1/fits")]);
      // What is the same stays as it is: a report that is open, and where the keyboard is.
      if (JSON.stringify(all) !== shown) cards.replaceChildren(...(all.length ? all.map((one) => card(one, act)) : [empty("No policy is fitted yet.", "planner fit")]));
      shown = JSON.stringify(all);
      const last = fits.find((fit) => fit.status === "running") ?? fits[0];
      runs = last?.status === "running";
      progress.textContent = last ? told(last) : "";
      start.setAttribute("aria-disabled", runs);
    } finally {
      if (runs) timer = setTimeout(() => document.body.contains(start) && load(), LOOK_AGAIN);
    }
  };
  // Does what a button asks for, and says what came of it; the button may be gone then.
  const act = async (words, asked) => {
    try {
      await asked();
      said.textContent = words;
    } catch (error) {
      said.textContent = error.message;
    }
    await load();
    if (document.activeElement === document.body) said.focus();
  };
  const start = el("button", { type: "button", onclick: () => start.getAttribute("aria-disabled") === "true" || act("The fit has begun.", () => post("/v1/fits", {})) }, "Fit anew from the logs");
  await load();
  return el("section", {}, el("h2", {}, "Policies"), said, cards, el("h3", {}, "Fits"), progress, start);
}

function card(one, act) {
  const path = `/v1/policies/${encodeURIComponent(one.policy_id)}`;
  const report = el("div");
  const look = el("details", { ontoggle: async () => {
    if (report.childElementCount) return;
    const manifest = await get(path);
    report.replaceChildren(...(manifest.report ? held(manifest.report) : [empty("It has no held-out report: too few prompts were graded.")]));
  } }, el("summary", {}, "Held-out report"), report);
  const promote = el("button", { type: "button", disabled: one.status === "promoted", onclick: () => {
    if (confirm(`Serve policy ${one.policy_id} from now on?`)) act(`${one.policy_id} is promoted; every worker serves it within seconds.`, () => post(`${path}/promote`));
  } }, one.status === "promoted" ? "served" : "Promote");
  return el("article.tile", {}, el("h3", {}, one.policy_id, " ", el("span.badge", {}, one.status)), el("p.quiet", {}, "fitted ", moment(one.created_at), one.reason ? ` · ${one.reason}` : ""), promote, look);
}

function told(fit) {
  if (fit.status === "running") return `fitting: ${fit.stage ?? "starting"}, ${Math.round(100 * (fit.share ?? 0))} %`;
  return `last fit ${fit.status}${fit.error ? `: ${fit.error}` : ""}`;
}
