// The live page: queue, map, the selected alert, one series, what is unusual, what was decided.

import { now } from "../clock.js";
import { AlertMap } from "../citymap.js";
import { AlertDetail } from "../detail.js";
import { choice, element, find, setText, settled } from "../dom.js";
import { property, unit, word } from "../format.js";
import { decisionLine } from "../history.js";
import { all, get } from "../http.js";
import { t, tn } from "../i18n.js";
import { AlertQueue } from "../queue.js";
import { seriesOf } from "../readings.js";
import { SeriesChart } from "../series.js";
import { shortcut } from "../shortcuts.js";
import { Sparks } from "../sparks.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";
import { may } from "../context.js";

const OPEN_STATES = ["new", "acknowledged", "escalated"];
const DECIDED_STATES = ["confirmed", "dismissed"];
const DECISIONS_SHOWN = 40;
const ALL_LIMIT = 2000;

const sensors = new Map();
const queue = new AlertQueue(find("#queue"));
const detail = new AlertDetail(find("#detail"), sensors);
const map = new AlertMap(find(".city .map-frame"));
const sparks = new Sparks(find("#sparks"), (id) => chooseSensor(id, { reveal: true }));
let chart = null;
let chosenSensor = null;
let hours = 6;
let decidedLoaded = false;
let fitted = false;

function takeAlert(alert) {
  queue.apply(alert);
  if (!alert.repeat_of) map.putAlert(queue.alerts.get(alert.id) ?? alert);
  detail.update(alert);
}

function takeAlerts(alerts) {
  queue.load(alerts);
  for (const alert of alerts) map.putAlert(queue.alerts.get(alert.id));
}

async function loadAlerts() {
  await all("/alerts", { state: OPEN_STATES, order: "harm", joined: true }, { each: takeAlerts });
  if (decidedLoaded) await all("/alerts", { state: DECIDED_STATES, order: "time", joined: true }, { each: takeAlerts, limit: ALL_LIMIT });
}

function chooseAlert(id, { reveal = true } = {}) {
  const alert = queue.alerts.get(id);
  if (alert) showAlert(alert, reveal);
}

/** What an address names: an alert of the queue, or one that was decided long ago and is in it no more. */
async function openAddressed() {
  const id = location.hash.slice(1);
  // Other names are places of the page.
  if (!/^[0-9a-f-]{36}$/.test(id) || id === queue.selected || queue.select(id)) return;
  try {
    showAlert(await get(`/alerts/${encodeURIComponent(id)}`), true);
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
  }
}

function showAlert(alert, reveal) {
  const { id } = alert;
  map.choose("alert", id);
  if (reveal) map.reveal(alert.place);
  detail.show(alert);
  history.replaceState(null, "", `#${id}`);
  if (sensors.has(alert.source)) chooseSensor(alert.source);
}

async function chooseSensor(id, { reveal = false } = {}) {
  const sensor = sensors.get(id);
  if (!sensor) return;
  const changed = chosenSensor !== id;
  chosenSensor = id;
  map.choose("sensor", id);
  if (reveal) map.reveal(sensor.place);
  setText(find("[data-series-title]"), property(sensor.observed_property));
  setText(find("[data-series-sub]"), `${sensor.name} · ${word(sensor.state)} · ${unit(sensor.unit)}`);
  find("#series-empty").hidden = true;
  chart ??= new SeriesChart(find("#series-chart"));
  const until = now();
  try {
    const shown = await seriesOf(sensor, until - hours * 3_600_000, until + 30_000, 900);
    if (chosenSensor === id) chart.show(shown);
  } catch (problem) {
    if (changed) toast("bad", problem.message, problem.hint);
  }
}

async function loadSensors() {
  await all("/datastreams", {}, {
    each: (items) => { for (const sensor of items) { sensors.set(sensor.id, sensor); map.putSensor(sensor); } },
  });
  setText(find("[data-map-sensors]"), tn("{n} sensor", "{n} sensors", sensors.size));
  sparks.rank(sensors);
  if (!fitted) {
    fitted = true;
    map.fit(map.sensors);
  }
}

// Only the server knows how a sensor is doing: ask for those that alerts came from.
const asked = new Set();
const askAgain = settled(async () => {
  const ids = [...asked];
  asked.clear();
  await Promise.all(ids.slice(0, 30).map(async (id) => {
    const sensor = await get(`/datastreams/${encodeURIComponent(id)}`).catch(() => null);
    if (!sensor) return;
    sensors.set(id, sensor);
    map.putSensor(sensor);
  }));
  sparks.rank(sensors);
}, 700);

function follow() {
  stream.want("alerts", "incidents", "readings", "health");
  stream.on("alert", (alert) => {
    takeAlert(alert);
    if (sensors.has(alert.source)) { asked.add(alert.source); askAgain(); }
  });
  stream.on("assessment", (decision) => { addDecision(decision); detail.decided(decision); });
  stream.on("readings", (readings) => {
    for (const [id, [time, reading]] of Object.entries(readings)) {
      const sensor = sensors.get(id);
      if (sensor) sensor.latest = { time: new Date(time).toISOString(), value: reading };
      sparks.append(id, time, reading);
      if (id === chosenSensor) chart?.append(time, reading);
    }
  });
  stream.on("reset", reload);
  stream.on("open", ({ again }) => { if (again) reload(); });
}

const reload = settled(() => {
  Promise.all([loadAlerts(), loadSensors(), loadDecisions()]).catch(() => {});
}, 200);

const shownDecisions = new Set();

function addDecision(decision, { last = false } = {}) {
  if (shownDecisions.has(decision.id)) return;
  find("#decisions-empty").hidden = true;
  shownDecisions.add(decision.id);
  const list = find("#decisions");
  const alert = queue.alerts.get(decision.subject);
  const target = decision.subject_kind === "incident" ? `/incidents/${encodeURIComponent(decision.subject)}` : `#${decision.subject}`;
  const made = decisionLine(decision, alert || decision.subject_kind === "incident"
    ? element("span", {}, " ", element("a", { href: target }, alert ? alert.headline : t("incident"))) : null);
  if (last) list.append(made); else list.prepend(made);
  while (list.children.length > DECISIONS_SHOWN) list.lastElementChild.remove();
}

async function loadDecisions() {
  const page = await get("/decisions", { limit: DECISIONS_SHOWN });
  const list = find("#decisions");
  shownDecisions.clear();
  list.replaceChildren();
  for (const decision of page.items) addDecision(decision, { last: true });
  find("#decisions-empty").hidden = page.items.length > 0;
}

function wire() {
  queue.addEventListener("select", (event) => chooseAlert(event.detail));
  queue.addEventListener("scope", (event) => {
    if (event.detail === "all" && !decidedLoaded) {
      decidedLoaded = true;
      loadAlerts().catch((problem) => toast("bad", problem.message, problem.hint));
    }
  });
  map.addEventListener("alert", (event) => { if (!queue.select(event.detail)) chooseAlert(event.detail, { reveal: false }); });
  map.addEventListener("sensor", (event) => chooseSensor(event.detail));
  detail.addEventListener("alert", (event) => takeAlert(event.detail));
  choice(find("#series-range"), "hours", (chosen) => { hours = Number(chosen); if (chosenSensor) chooseSensor(chosenSensor); });
  addEventListener("hashchange", openAddressed);
  shortcut("j", () => queue.step(1));
  shortcut("ArrowDown", () => queue.step(1));
  shortcut("k", () => queue.step(-1));
  shortcut("ArrowUp", () => queue.step(-1));
  shortcut("u", () => queue.showNew());
  shortcut("/", () => find("#queue-search").focus());
  shortcut("m", () => { if (detail.alert) map.reveal(detail.alert.place, { zoom: 16 }); });
  if (may("alerts:decide")) {
    for (const [key, action] of [["a", "acknowledge"], ["c", "confirm"], ["d", "dismiss"], ["e", "escalate"]]) shortcut(key, () => detail.decide(action));
  }
  if (may("incidents:decide")) {
    shortcut("i", () => detail.join());
    shortcut("n", () => detail.openIncident());
  }
}

async function start() {
  follow();
  wire();
  await map.start((words) => setText(find("[data-map-base]"), words));
  setText(find("[data-map-sub]"), find(".brand small")?.textContent ?? "");
  await Promise.all([loadAlerts(), may("observations:read") ? loadSensors() : null]);
  await openAddressed();
  await loadDecisions();
}

start().catch((problem) => toast("bad", problem.message, problem.hint));
setInterval(() => { if (chosenSensor && hours <= 6) chooseSensor(chosenSensor); }, 60_000);
