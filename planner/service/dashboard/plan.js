// A recommendation in the words of the command line.

const RULES = {
  score: (stop) => ` until score ${short(stop.threshold)}`,
  beta_vote: (stop) => ` until vote sure at ${short(stop.confidence ?? 0.95)}`,
  agreement: (stop) => ` until ${short(stop.share)} of ${stop.min_samples ?? 2}+ agree`,
};

export function label(arm) {
  const settings = Object.entries(arm.params).filter(([, value]) => ["number", "string", "boolean"].includes(typeof value)).map(([name, value]) => `${name}=${value}`).join(", ");
  const told = settings ? ` (${settings})` : "";
  if (arm.search === "cascade") return `${arm.params.stages.map(stage).join(" > ")}, ${arm.selection}${told}`;
  const size = arm.depth > 1 ? `${arm.breadth}x${arm.depth}` : `${arm.breadth}`;
  if (arm.search !== "sampling") return `${arm.generator} ${arm.search} ${size}${told}, ${arm.selection}`;
  return (size === "1" ? `${arm.generator}, one sample` : `${arm.generator} ${arm.selection} ${size}`) + told;
}

function stage({ generator, max_samples: most = 1, draw, stop }) {
  const drawn = most > 1 ? ` <=${most}${draw === "attempts" ? " attempts" : ""}` : "";
  return generator + drawn + (stop ? RULES[stop.rule ?? "score"](stop) : "");
}

const short = (value) => String(Number(value.toPrecision(6)));

// Where all bins are alike none is likely, and the first of them would read as the easiest.
export function likelyBin(difficulty) {
  const flat = difficulty.bin_probabilities.length > 1 && new Set(shares(difficulty)).size === 1;
  return flat ? null : difficulty.most_likely_bin;
}

export const shares = (difficulty) => difficulty.bin_probabilities.map((p) => p.toFixed(2));
