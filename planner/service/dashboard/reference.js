// The API's reference: a page of its own as well, but a link to that one bears no token.

import { page } from "./api.js";
import { el } from "./dom.js";

export async function reference() {
  const read = new DOMParser().parseFromString(await page("/docs"), "text/html");
  return el("section.reference", {}, el("h2", {}, "HTTP API"), ...read.querySelectorAll("header > p:first-of-type, header > nav, main > *"));
}
