// A recommendation in the words of the command line.

const RULES = {
  score: (stop) => ` until score ${short(stop.threshold)}`,
  beta_vote: (stop) => ` until vote sure at ${short(stop.confidence ?? 0.95)}`,
  agreement: (stop) => ` until ${short(stop.share)} of ${stop.min_samples ?? 2}+ agree`,
};

export function label(arm) {
  const told = inWords(arm.params);
  if (arm.search === "cascade") {
    const { stages, settings } = arm.params;
    return `${stages.map((one, i) => stage(one, settings?.[i])).join(" > ")}, ${arm.selection}${told}`;
  }
  const size = arm.depth > 1 ? `${arm.breadth}x${arm.depth}` : `${arm.breadth}`;
  if (arm.search !== "sampling") return `${arm.generator} ${arm.search} ${size}${told}, ${arm.selection}`;
  return (size === "1" ? `${arm.generator}, one sample` : `${arm.generator} ${arm.selection} ${size}`) + told;
}

// Two arms may differ in nothing else, and no label tells the verifier.
export const scoredBy = (arm) => (arm.verifier ? `, scored by ${arm.verifier}` : "");

function stage({ generator, max_samples: most = 1, draw, stop, batch = 1 }, settings) {
  const drawn = most > 1 ? ` <=${most}${draw === "attempts" ? " attempts" : ""}` : "";
  const atATime = stop && batch > 1 ? ` (${batch} at a time)` : "";
  return generator + inWords(settings) + drawn + atATime + (stop ? RULES[stop.rule ?? "score"](stop) : "");
}

export function inWords(params) {
  const plain = Object.entries(params ?? {}).filter(([, value]) => ["number", "string", "boolean"].includes(typeof value));
  return plain.length ? ` (${plain.map(([name, value]) => `${name}=${value}`).join(", ")})` : "";
}

const short = (value) => String(Number(value.toPrecision(6)));

// Where all bins are alike none is likely, and the first of them would read as the easiest.
export function likelyBin(difficulty) {
  const flat = difficulty.bin_probabilities.length > 1 && new Set(shares(difficulty)).size === 1;
  return flat ? null : difficulty.most_likely_bin;
}

export const shares = (difficulty) => difficulty.bin_probabilities.map((p) => p.toFixed(2));
