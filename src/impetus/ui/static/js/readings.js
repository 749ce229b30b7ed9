// What one sensor read, what it was expected to read, and the alerts it gave.

import { get } from "./http.js";

const NOTHING = { time: [], value: [], low: [], high: [], middle: [], score: [] };

/** All that a series chart shows of a sensor between two moments (milliseconds). */
export async function seriesOf(sensor, since, until, points) {
  const span = { since: new Date(since).toISOString(), until: new Date(until).toISOString(), points };
  const path = `/datastreams/${encodeURIComponent(sensor.id)}`;
  const [observations, expectations, alerts] = await Promise.all([
    get(`${path}/observations`, span),
    get(`${path}/expectations`, span).catch(() => NOTHING),
    get("/alerts", { source: sensor.id, since: span.since, order: "time", limit: 50 }).then((page) => page.items).catch(() => []),
  ]);
  return { observations, expectations, alerts, unit: sensor.unit, since, until };
}
