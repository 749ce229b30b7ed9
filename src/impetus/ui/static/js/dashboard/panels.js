// The panels that move: each is given its place in the page and the board, and fills and follows.

import { now } from "../clock.js";
import { may } from "../context.js";
import { choice, element, find, findAll, setText, settled } from "../dom.js";
import { ago, property, unit, word } from "../format.js";
import { decisionLine } from "../history.js";
import { all, get } from "../http.js";
import { t, tn } from "../i18n.js";
import { SEVERITY_RANK } from "../palette.js";
import { shortcut } from "../shortcuts.js";
import { libraries } from "./libraries.js";

const DECISIONS_SHOWN = 40;
const CLOSED = new Set(["closed", "reviewed"]);
const SLOWEST = 6; // hours up to which a series is drawn again each minute

async function queue(place, board) {
  await libraries("grid");
  const { AlertQueue } = await import("../queue.js");
  const shown = new AlertQueue(place);
  board.on("alerts", (alerts) => shown.load(alerts));
  board.on("alert", (alert) => shown.apply(alert));
  board.on("choose-alert", ({ alert }) => { if (shown.selected !== alert.id) shown.select(alert.id); });
  shown.addEventListener("select", (event) => board.chooseAlert(event.detail));
  shown.addEventListener("scope", (event) => { if (event.detail === "all" && !board.knowsDecided) board.decidedAlerts().catch(() => {}); });
  for (const key of ["j", "ArrowDown"]) shortcut(key, () => { if (!arranging()) shown.step(1); });
  for (const key of ["k", "ArrowUp"]) shortcut(key, () => { if (!arranging()) shown.step(-1); });
  shortcut("u", () => shown.showNew());
  shortcut("/", () => find("#queue-search", place).focus());
  await board.openAlerts();
  shown.load([...board.alerts.values()]);
}

async function map(place, board) {
  await libraries("leaflet");
  const { AlertMap } = await import("../citymap.js");
  const shown = new AlertMap(find(".map-frame", place));
  await shown.start((words) => setText(find("[data-map-base]", place), words));
  let fitted = false;
  const sensors = (items) => {
    for (const sensor of items) shown.putSensor(sensor);
    setText(find("[data-map-sensors]", place), tn("{n} sensor", "{n} sensors", board.sensors.size));
  };
  board.on("sensors", sensors);
  board.on("alerts", (items) => { for (const alert of items) shown.putAlert(alert); });
  board.on("alert", (alert) => shown.putAlert(alert));
  board.on("choose-alert", ({ alert, reveal }) => { shown.choose("alert", alert.id); if (reveal) shown.reveal(alert.place); });
  board.on("choose-sensor", ({ sensor, reveal }) => { shown.choose("sensor", sensor.id); if (reveal) shown.reveal(sensor.place); });
  shown.addEventListener("alert", (event) => board.chooseAlert(event.detail, { reveal: false }));
  shown.addEventListener("sensor", (event) => board.chooseSensor(event.detail));
  shortcut("m", () => { const alert = board.alerts.get(board.chosenAlert); if (alert) shown.reveal(alert.place, { zoom: 16 }); });
  await Promise.all([board.allSensors(), may("alerts:read") ? board.openAlerts() : null]);
  sensors([...board.sensors.values()]);
  for (const alert of board.alerts.values()) shown.putAlert(alert);
  if (!fitted) { fitted = true; shown.fit(shown.sensors); }
}

async function detail(place, board) {
  await libraries("charts");
  const { AlertDetail } = await import("../detail.js");
  if (may("observations:read")) await board.allSensors();
  place.classList.add("detail");
  const shown = new AlertDetail(find(".dash-content", place), board.sensors);
  board.on("choose-alert", ({ alert }) => shown.show(alert));
  board.on("alert", (alert) => shown.update(alert));
  board.on("decision", (decision) => shown.decided(decision));
  shown.addEventListener("alert", (event) => board.takeAlert(event.detail));
  if (may("alerts:decide")) {
    for (const [key, action] of [["a", "acknowledge"], ["c", "confirm"], ["d", "dismiss"], ["e", "escalate"]]) shortcut(key, () => { if (!arranging()) shown.decide(action); });
  }
  if (may("incidents:decide")) {
    shortcut("i", () => shown.join());
    shortcut("n", () => shown.openIncident());
  }
  if (board.chosenAlert) shown.show(board.alerts.get(board.chosenAlert));
}

async function series(place, board) {
  await libraries("charts");
  const [{ SeriesChart }, { seriesOf }] = await Promise.all([import("../series.js"), import("../readings.js")]);
  let hours = Number(place.dataset.hours ?? 6);
  let sensor = null;
  let chart = null;
  const show = async (chosen) => {
    sensor = chosen;
    place.dataset.shown = sensor.id;
    setText(find("[data-series-title]", place), property(sensor.observed_property));
    setText(find("[data-series-sub]", place), `${sensor.name} · ${word(sensor.state)} · ${unit(sensor.unit)}`);
    find("[data-series-empty]", place).hidden = true;
    chart ??= new SeriesChart(find("[data-chart]", place));
    const until = now();
    const shown = await seriesOf(sensor, until - hours * 3_600_000, until + 30_000, 900).catch(() => null);
    if (shown && sensor.id === chosen.id) chart.show(shown);
  };
  choice(find("[data-range]", place), "hours", (chosen) => {
    hours = Number(chosen);
    place.dataset.hours = chosen;
    if (sensor) show(sensor);
  });
  board.on("readings", (readings) => {
    const read = sensor && readings[sensor.id];
    if (read && hours <= 24) chart?.append(read[0], read[1]);
  });
  setInterval(() => { if (sensor && hours <= SLOWEST && place.isConnected) show(sensor); }, 60_000);
  if (place.dataset.datastream) {
    show(await get(`/datastreams/${encodeURIComponent(place.dataset.datastream)}`));
    return;
  }
  board.on("choose-sensor", (chosen) => show(chosen.sensor));
  await board.allSensors();
  const begin = board.sensors.get(board.chosenSensor) ?? firstOf(board.sensors);
  if (begin) show(begin);
}

/** A sensor to begin with: one that reads something unusual, else the first. */
function firstOf(sensors) {
  const known = [...sensors.values()];
  return known.find((sensor) => sensor.state === "anomalous") ?? known[0];
}

async function unusual(place, board) {
  const { Sparks } = await import("../sparks.js");
  const shown = new Sparks(find("[data-sparks]", place), (id) => board.chooseSensor(id, { reveal: true }));
  board.on("sensors", () => shown.rank(board.sensors));
  board.on("readings", (readings) => { for (const [id, [time, reading]] of Object.entries(readings)) shown.append(id, time, reading); });
  await board.allSensors();
  shown.rank(board.sensors);
}

async function decisions(place, board) {
  const list = find("[data-decisions]", place);
  const known = new Set();
  const add = (decision, last = false) => {
    if (known.has(decision.id)) return;
    known.add(decision.id);
    const alert = board.alerts.get(decision.subject);
    const about = decision.subject_kind === "incident" ? element("a", { href: `/incidents/${encodeURIComponent(decision.subject)}` }, t("incident"))
      : alert ? element("a", { href: `/#${encodeURIComponent(alert.id)}` }, alert.headline) : null;
    const made = decisionLine(decision, about ? element("span", {}, " ", about) : null);
    if (last) list.append(made); else list.prepend(made);
    while (list.children.length > DECISIONS_SHOWN) list.lastElementChild.remove();
    find("[data-decisions-empty]", place).hidden = true;
  };
  const load = async () => {
    const page = await get("/decisions", { limit: DECISIONS_SHOWN });
    for (const decision of page.items) add(decision, true);
    find("[data-decisions-empty]", place).hidden = known.size > 0;
  };
  board.on("decision", (decision) => add(decision));
  await load();
}

async function incidents(place, board) {
  const known = new Map();
  const show = settled(() => {
    const open = [...known.values()].filter((incident) => !CLOSED.has(incident.state))
      .sort((a, b) => SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] || (a.opened < b.opened ? 1 : -1));
    setText(find("[data-incidents-sub]", place), tn("{n} open", "{n} open", open.length));
    find("[data-incidents-empty]", place).hidden = open.length > 0;
    find("[data-incidents]", place).hidden = open.length === 0;
    find("[data-incidents]", place).replaceChildren(...open.map((incident) => element("a",
      { class: "dash-incident", href: `/incidents/${encodeURIComponent(incident.id)}`, "data-severity": incident.severity },
      element("span", { class: "clip" }, element("b", { class: "clip" }, incident.title), element("span", { class: "muted" }, `${tn("{n} alert", "{n} alerts", incident.alerts.length)} · ${ago(incident.updated)}`)),
      element("span", { class: "state", "data-state": incident.state }, word(incident.state)))));
  }, 60);
  const take = (incident) => {
    if ((known.get(incident.id)?.version ?? 0) < incident.version) { known.set(incident.id, incident); show(); }
  };
  board.on("incident", take);
  const load = () => all("/incidents", {}, { limit: 1000, each: (items) => items.forEach(take) }).then(show);
  board.on("reload", () => load().catch(() => {}));
  await load();
}

/** Draw again what the server draws, every few seconds, unless a person is in it or it draws itself in the browser. */
async function drawn(place) {
  const own = () => find("[data-refresh]", place);
  if (find("[data-live]", place)) {
    await libraries("leaflet", "charts");
    const { drawWidgets } = await import("../widgets.js");
    drawWidgets(place);
    return;
  }
  if (!own()) return;
  const again = async () => {
    const now = own();
    if (!place.isConnected || !now) return;
    if (!document.hidden && !now.contains(document.activeElement)) {
      const response = await fetch(`/dashboards/panels/${place.dataset.panel}`, { credentials: "same-origin" }).catch(() => null);
      const fresh = response?.ok && !response.redirected ? find("[data-refresh]", parsed(await response.text())) : null;
      if (fresh) {
        const { scrollTop } = now;
        now.replaceChildren(...fresh.childNodes);
        now.scrollTop = scrollTop;
      }
    }
    setTimeout(again, Number(now.dataset.refresh) * 1000);
  };
  setTimeout(again, Number(own().dataset.refresh) * 1000);
}

function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html").body;
}

function arranging() {
  return find("#dash").classList.contains("arranging");
}

const PANELS = { queue, map, detail, series, unusual, decisions, incidents };

/** Bring a panel to life. */
export async function mount(place, board) {
  if ("problem" in place.dataset) return;
  await (PANELS[place.dataset.panel] ?? drawn)(place, board);
}

/** A panel as the server draws it, not yet alive. */
export async function fetched(placement, { schematic = false } = {}) {
  const query = new URLSearchParams({ placement: placement.id, width: placement.width, height: placement.height, schematic });
  const response = await fetch(`/dashboards/panels/${placement.panel}?${query}`, { credentials: "same-origin" });
  if (!response.ok) throw new Error(t("The panel cannot be shown now."));
  return document.adoptNode(find(".dash-panel", parsed(await response.text())));
}

export function panelsOf(grid) {
  return findAll(":scope > .dash-panel", grid);
}
