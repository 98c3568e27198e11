// The public JSON routes, and the token that they may ask for.

const KEY = "planner-token";

export class Problem extends Error {
  constructor(status, detail, found = null) {
    super(detail);
    this.status = status;
    this.found = found;
  }
}

export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return send("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path);
}

export const post = (path, body) => send("POST", path, body);

// A page of the service, as its HTML.
export const page = async (path) => (await ask("GET", path)).text();

async function send(method, path, body) {
  const text = await (await ask(method, path, body)).text();
  return text ? JSON.parse(text) : null;
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  const token = sessionStorage.getItem(KEY);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, "the service does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  const found = await answer.json().catch(() => null);
  const problem = new Problem(answer.status, found?.detail ?? answer.statusText, found);
  const asks = answer.status === 401 || (answer.status === 403 && token); // one of another role may do
  if (asks && await askForToken(!token ? "" : answer.status === 401 ? "This token is not known." : problem.message)) return ask(method, path, body);
  throw problem;
}

let asking = null;

// Whether one was given.
function askForToken(words) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("ask-token");
    const field = document.getElementById("token");
    document.getElementById("token-problem").textContent = words;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given";
      if (given) sessionStorage.setItem(KEY, field.value.trim());
      field.value = "";
      asking = null;
      resolve(given);
    }, { once: true });
    dialog.showModal();
    field.focus();
  });
  return asking;
}
