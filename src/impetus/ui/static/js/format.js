// How times, numbers and words of the model are written.

import { now } from "./clock.js";
import { context } from "./context.js";
import { locale, t, tn } from "./i18n.js";

const timeZone = context.zone;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone });
const minutes = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone });
const day = new Intl.DateTimeFormat(locale, { day: "2-digit", month: "short", timeZone });
const longDay = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", timeZone });
const isoDay = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeZone });

/** A moment of the interface (text or milliseconds) as milliseconds. */
export function milliseconds(moment) {
  return typeof moment === "number" ? moment : Date.parse(moment);
}

export function clockTime(moment) {
  return clock.format(milliseconds(moment));
}

export function minuteTime(moment) {
  return minutes.format(milliseconds(moment));
}

export function dayText(moment) {
  return longDay.format(milliseconds(moment));
}

export function shortDay(moment) {
  return day.format(milliseconds(moment));
}

/** The time of day; with the day before it, and without seconds, when that is not today. */
export function momentText(moment) {
  const value = milliseconds(moment);
  const today = isoDay.format(value) === isoDay.format(now());
  return today ? clock.format(value) : `${day.format(value)} ${minutes.format(value)}`;
}

/** How long ago, in words. */
export function ago(moment) {
  const seconds = Math.max(0, Math.round((now() - milliseconds(moment)) / 1000));
  if (seconds < 60) return tn("{n} s ago", "{n} s ago", seconds);
  if (seconds < 3600) return tn("{n} min ago", "{n} min ago", Math.round(seconds / 60));
  if (seconds < 172_800) return tn("{n} h ago", "{n} h ago", Math.round(seconds / 3600));
  return tn("{n} day ago", "{n} days ago", Math.round(seconds / 86_400));
}

/** A reading with as many decimals as its size deserves. */
export function value(reading) {
  if (reading === null || reading === undefined || !Number.isFinite(reading)) return "–";
  const size = Math.abs(reading);
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(reading);
}

/** A share from 0 to 1 as a percentage. */
export function percent(share) {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

export function whole(count) {
  return new Intl.NumberFormat(locale).format(count);
}

const UNITS = { Cel: "°C", "ug/m3": "µg/m³", "1": "", "m/s": "m/s", "%": "%", "[degF]": "°F", "mg/m3": "mg/m³" };

/** A UCUM unit as people write it. */
export function unit(code) {
  return code in UNITS ? UNITS[code] : (code || "").replace("1/", "/");
}

export function withUnit(reading, code) {
  const symbol = unit(code);
  return symbol ? `${value(reading)} ${symbol}` : value(reading);
}

const WORDS = {
  new: () => t("new"), acknowledged: () => t("acknowledged"), confirmed: () => t("confirmed"),
  dismissed: () => t("dismissed"), escalated: () => t("escalated"), candidate: () => t("candidate"),
  open: () => t("open"), contained: () => t("contained"), closed: () => t("closed"), reviewed: () => t("reviewed"),
  ok: () => t("ok"), anomalous: () => t("anomalous"), silent: () => t("silent"), stuck: () => t("stuck"),
  unknown: () => t("unknown"), starting: () => t("starting"), running: () => t("running"),
  degraded: () => t("degraded"), stopped: () => t("stopped"),
  Extreme: () => t("Extreme"), Severe: () => t("Severe"), Moderate: () => t("Moderate"), Minor: () => t("Minor"),
  Unknown: () => t("Unknown"),
};

/** A word of the model (a state, a severity) in the reader's language. */
export function word(name) {
  return name in WORDS ? WORDS[name]() : String(name);
}

const PROPERTIES = {
  "traffic-flow": () => t("Traffic flow"), "traffic-speed": () => t("Traffic speed"), "bicycle-flow": () => t("Bicycle flow"),
  "people-count": () => t("People count"), "sound-level": () => t("Sound level"), "pm2-5": () => t("Fine dust (PM2.5)"),
  pm10: () => t("Dust (PM10)"), no2: () => t("Nitrogen dioxide"), "parking-free": () => t("Free parking places"),
  "water-level": () => t("Water level"), "power-load": () => t("Power load"), "wind-speed": () => t("Wind speed"),
  "air-temperature": () => t("Air temperature"), humidity: () => t("Humidity"),
};

/** What a datastream measures, in words. */
export function property(name) {
  if (name in PROPERTIES) return PROPERTIES[name]();
  const words = String(name).replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
