// The sensors page: all sensors as a list and on the map, one of them as a series.

import { now } from "../clock.js";
import { AlertMap } from "../citymap.js";
import { may } from "../context.js";
import { choice, element, find, setText, settled } from "../dom.js";
import { ago, property, unit, value, word } from "../format.js";
import { cell, loaded, makeGrid, textCell } from "../grid.js";
import { all, get } from "../http.js";
import { t, tn } from "../i18n.js";
import { seriesOf } from "../readings.js";
import { SENSOR_COLOUR } from "../palette.js";
import { SeriesChart } from "../series.js";
import { shortcut } from "../shortcuts.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";

const sensors = new Map();
const touched = new Set();
const map = new AlertMap(find(".city .map-frame"));
let chart = null;
let chosen = null;
let hours = 24;
let scope = "all";
let text = "";
let wanted = "";

const STATE_RANK = { anomalous: 0, stuck: 1, silent: 2, unknown: 3, ok: 4 };

const grid = makeGrid(find("#sensor-grid"), {
  columnDefs: [
    { headerName: t("State"), width: 112, sortable: true, sort: "asc", valueGetter: (row) => STATE_RANK[row.data.state], cellRenderer: cell((shown, sensor) => {
      shown.className = "sensor-state";
      shown.style.setProperty("--dot", SENSOR_COLOUR[sensor.state]);
      shown.dataset.state = sensor.state;
      shown.textContent = word(sensor.state);
    }) },
    { headerName: t("Sensor"), flex: 2, minWidth: 130, sortable: true, valueGetter: (row) => row.data.name, cellRenderer: textCell((sensor) => sensor.name, "clip strong-text") },
    { headerName: t("Measures"), flex: 1.2, minWidth: 90, sortable: true, valueGetter: (row) => property(row.data.observed_property), cellRenderer: textCell((sensor) => property(sensor.observed_property)) },
    { headerName: t("Newest"), width: 118, headerClass: "right", cellRenderer: cell((shown, sensor) => {
      shown.className = "newest";
      const reading = sensor.latest ? value(sensor.latest.value) : "–";
      shown.replaceChildren(element("b", { class: "mono" }, reading), element("small", { class: "faint" }, unit(sensor.unit)));
      shown.title = sensor.latest ? ago(sensor.latest.time) : "";
    }) },
  ],
  isExternalFilterPresent: () => true,
  doesExternalFilterPass: (row) => passes(row.data),
  onSelectionChanged: () => { const [sensor] = grid.getSelectedRows(); if (sensor) choose(sensor.id); },
  onModelUpdated: () => setText(find("[data-list-sub]"), tn("{n} sensor", "{n} sensors", grid.getDisplayedRowCount())),
});

function passes(sensor) {
  if (scope === "unusual" && (sensor.state === "ok" || sensor.state === "unknown")) return false;
  if (wanted && sensor.observed_property !== wanted) return false;
  return !text || `${sensor.name} ${sensor.thing} ${sensor.place?.name ?? ""} ${sensor.id} ${property(sensor.observed_property)} ${word(sensor.state)}`.toLowerCase().includes(text);
}

async function choose(id) {
  const sensor = sensors.get(id);
  if (!sensor) return;
  if (chosen !== id) {
    chosen = id;
    map.choose("sensor", id);
    map.reveal(sensor.place);
    history.replaceState(null, "", `/sensors?datastream=${encodeURIComponent(id)}`);
  }
  setText(find("[data-series-title]"), property(sensor.observed_property));
  setText(find("[data-series-sub]"), `${sensor.name} · ${word(sensor.state)} · ${unit(sensor.unit)}`);
  find("#series-empty").hidden = true;
  chart ??= new SeriesChart(find("#series-chart"));
  const until = now();
  try {
    const shown = await seriesOf(sensor, until - hours * 3_600_000, until + 30_000, 1200);
    if (chosen === id) chart.show(shown);
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
  }
}

function select(id) {
  const row = grid.getRowNode(id);
  if (!row) return;
  row.setSelected(true, true);
  if (row.rowIndex !== null) grid.ensureIndexVisible(row.rowIndex);
}

function step(by) {
  const count = grid.getDisplayedRowCount();
  const now = chosen ? grid.getRowNode(chosen)?.rowIndex : null;
  const index = now === null || now === undefined ? 0 : Math.min(count - 1, Math.max(0, now + by));
  const row = grid.getDisplayedRowAtIndex(index);
  if (row) select(row.id);
}

async function loadSensors() {
  await all("/datastreams", {}, {
    each: (items) => {
      const fresh = items.filter((sensor) => !sensors.has(sensor.id));
      const known = items.filter((sensor) => sensors.has(sensor.id));
      for (const sensor of items) { sensors.set(sensor.id, sensor); map.putSensor(sensor); }
      grid.applyTransaction({ add: fresh, update: known });
      loaded(grid);
    },
  });
  const list = find("#sensor-property");
  const properties = [...new Set([...sensors.values()].map((sensor) => sensor.observed_property))].sort();
  const present = new Set([...list.options].map((option) => option.value));
  for (const name of properties) if (!present.has(name)) list.append(element("option", { value: name }, property(name)));
}

const asked = new Set();
const askAgain = settled(async () => {
  const ids = [...asked];
  asked.clear();
  for (const id of ids.slice(0, 30)) {
    const sensor = await get(`/datastreams/${encodeURIComponent(id)}`).catch(() => null);
    if (!sensor) continue;
    sensors.set(id, sensor);
    map.putSensor(sensor);
    grid.applyTransactionAsync({ update: [sensor] });
  }
}, 700);

function follow() {
  stream.want("readings", "alerts");
  stream.on("readings", (readings) => {
    for (const [id, [time, reading]] of Object.entries(readings)) {
      const sensor = sensors.get(id);
      if (!sensor) continue;
      sensor.latest = { time: new Date(time).toISOString(), value: reading };
      touched.add(id);
      if (id === chosen && hours <= 24) chart?.append(time, reading);
    }
  });
  // The list is brought up to date once in two seconds, and only the rows that changed.
  setInterval(() => {
    if (!touched.size) return;
    const nodes = [...touched].map((id) => grid.getRowNode(id)).filter(Boolean);
    touched.clear();
    grid.refreshCells({ rowNodes: nodes, force: true });
  }, 2000);
  stream.on("alert", (alert) => {
    if (may("alerts:read")) map.putAlert(alert);
    if (sensors.has(alert.source)) { asked.add(alert.source); askAgain(); }
  });
  stream.on("reset", () => loadSensors().catch(() => {}));
  stream.on("open", ({ again }) => { if (again) loadSensors().catch(() => {}); });
}

function wire() {
  map.addEventListener("sensor", (event) => select(event.detail));
  map.addEventListener("alert", (event) => location.assign(`/#${encodeURIComponent(event.detail)}`));
  choice(find("#series-range"), "hours", (given) => { hours = Number(given); if (chosen) choose(chosen); });
  choice(find("#sensor-scope"), "scope", (given) => { scope = given; grid.onFilterChanged(); });
  const search = find("#sensor-search");
  search.addEventListener("input", settled(() => { text = search.value.trim().toLowerCase(); grid.onFilterChanged(); }, 150));
  find("#sensor-property").addEventListener("change", (event) => { wanted = event.target.value; grid.onFilterChanged(); });
  for (const key of ["j", "ArrowDown"]) shortcut(key, () => step(1));
  for (const key of ["k", "ArrowUp"]) shortcut(key, () => step(-1));
  shortcut("/", () => search.focus());
}

async function start() {
  follow();
  wire();
  await map.start((words) => setText(find("[data-map-base]"), words));
  await loadSensors();
  map.fit(map.sensors);
  if (may("alerts:read")) await all("/alerts", { state: ["new", "acknowledged", "escalated"] }, { each: (alerts) => alerts.forEach((alert) => map.putAlert(alert)) });
  const asked_for = new URLSearchParams(location.search).get("datastream");
  if (asked_for) select(asked_for); else step(0);
}

start().catch((problem) => toast("bad", problem.message, problem.hint));
