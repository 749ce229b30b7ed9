// Wall-clock times of a time zone, as a field for date and time has them, and the moments that they are.

function partsAt(moment, zone) {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  return format.format(moment).replace(" ", "T");
}

/** The wall-clock time of a moment, to the minute: `2026-03-29T08:00`. */
export function wallOf(moment, zone) {
  return partsAt(new Date(moment), zone).slice(0, 16);
}

/** The moment of a wall-clock time. What the clock skips in spring is an hour later; what it shows twice in autumn, the
 * first time. */
export function utcOf(wall, zone) {
  const wanted = Date.parse(`${wall}Z`);
  const offset = (at) => Date.parse(`${partsAt(new Date(at), zone)}Z`) - at;
  const before = wanted - offset(wanted - 86_400_000);
  const after = wanted - offset(wanted + 86_400_000);
  const fits = [before, after].filter((at) => at + offset(at) === wanted);
  return new Date(fits.length ? Math.min(...fits) : before).toISOString();
}
