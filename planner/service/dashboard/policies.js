// Fitted policies, their held-out reports, and which one is served.

import { get, post } from "./api.js";
import { el, moment, empty } from "./dom.js";
import { held } from "./overview.js";

export async function policies() {
  const section = el("section", {}, el("h2", {}, "Policies"));
  const said = el("p", { role: "status" });
  const body = el("div");
  section.append(said, body);
  const load = async () => {
    const { policies: all } = await get("/v1/policies");
    const { fits } = await get("/v1/fits");
    body.replaceChildren(all.length ? el("div", {}, all.map((one) => card(one, said, load))) : empty("No policy is fitted yet.", "planner fit"), ...running(fits, said, load));
  };
  await load();
  return section;
}

function card(one, said, load) {
  const report = el("div");
  const look = el("details", { ontoggle: async () => {
    if (report.childElementCount) return;
    const manifest = await get(`/v1/policies/${encodeURIComponent(one.policy_id)}`);
    report.replaceChildren(...(manifest.report ? held(manifest.report) : [empty("It has no held-out report: too few prompts were graded.")]));
  } }, el("summary", {}, "Held-out report"), report);
  const promote = el("button", { type: "button", disabled: one.status === "promoted", onclick: async () => {
    if (!confirm(`Serve policy ${one.policy_id} from now on?`)) return;
    try {
      await post(`/v1/policies/${encodeURIComponent(one.policy_id)}/promote`);
      said.textContent = `${one.policy_id} is promoted; every worker serves it within seconds.`;
    } catch (error) {
      said.textContent = error.message;
    }
    await load();
  } }, one.status === "promoted" ? "served" : "Promote");
  return el("article.tile", {}, el("h3", {}, one.policy_id, " ", el("span.badge", {}, one.status)), el("p.quiet", {}, "fitted ", moment(one.created_at), one.reason ? ` · ${one.reason}` : ""), promote, look);
}

function running(fits, said, load) {
  const now = fits.find((fit) => fit.status === "running");
  const start = el("button", { type: "button", disabled: Boolean(now), onclick: async () => {
    try {
      await post("/v1/fits", {});
      said.textContent = "The fit has begun.";
    } catch (error) {
      said.textContent = error.message;
    }
    await load();
  } }, "Fit anew from the logs");
  const last = fits[0];
  const words = now ? `fitting: ${now.stage ?? "starting"}, ${Math.round(100 * (now.share ?? 0))} %` : last ? `last fit ${last.status}${last.error ? `: ${last.error}` : ""}` : "";
  if (now) setTimeout(() => document.body.contains(start) && load(), 2000);
  return [el("h3", {}, "Fits"), el("p.quiet", {}, words), start];
}
