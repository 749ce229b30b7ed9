// What time it is: the machine's, or in an exercise the one that its controller sets.

import { context } from "./context.js";

const ASK_EVERY = 5_000;
let known = null;

/** The present moment in milliseconds since 1970. */
export function now() {
  return known === null ? Date.now() : known.moment + (performance.now() - known.heard) * known.speed;
}

async function ask() {
  try {
    const answer = await fetch("/api/v1/exercise", { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const told = await answer.json();
      known = { moment: Date.parse(told.time), heard: performance.now(), speed: told.speed };
    }
  } catch {
    // The stream says that the connection is gone; until it is back the clock runs on.
  }
}

if (context.exercise) {
  ask();
  setInterval(ask, ASK_EVERY);
}
