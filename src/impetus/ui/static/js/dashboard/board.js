// What the panels of one dashboard share: alerts and sensors, loaded once, and what is selected.

import { may } from "../context.js";
import { settled } from "../dom.js";
import { all, get } from "../http.js";
import { stream } from "../stream.js";

const OPEN_STATES = ["new", "acknowledged", "escalated"];
const DECIDED_STATES = ["confirmed", "dismissed"];
const DECIDED_LIMIT = 2000;
const ASKED_AT_ONCE = 30;

/** Events: `alerts` (a page of them), `alert`, `sensors`, `readings`, `decision`, `incident`, `choose-alert`, `choose-sensor`. */
export class Board extends EventTarget {
  alerts = new Map();
  sensors = new Map();
  chosenAlert = null;
  chosenSensor = null;
  #loads = new Map();
  #asked = new Set();
  #decided = false;

  on(event, handler) {
    this.addEventListener(event, (message) => handler(message.detail));
  }

  tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }

  /** Ask the stream for what the panels on this dashboard may need; before it starts. */
  follow() {
    if (may("alerts:read")) stream.want("alerts");
    if (may("incidents:read")) stream.want("incidents");
    if (may("observations:read")) stream.want("readings");
    stream.on("alert", (alert) => this.takeAlert(alert));
    stream.on("assessment", (decision) => this.tell("decision", decision));
    stream.on("incident", (incident) => this.tell("incident", incident));
    stream.on("readings", (readings) => {
      for (const [id, [time, reading]] of Object.entries(readings)) {
        const sensor = this.sensors.get(id);
        if (sensor) sensor.latest = { time: new Date(time).toISOString(), value: reading };
      }
      this.tell("readings", readings);
    });
    const again = settled(() => this.reload(), 200);
    stream.on("reset", again);
    stream.on("open", (opened) => { if (opened.again) again(); });
  }

  takeAlert(alert) {
    this.alerts.set(alert.id, alert);
    this.tell("alert", alert);
    // Only the server knows how a sensor is doing: ask for those that alerts come from.
    if (this.sensors.has(alert.source)) { this.#asked.add(alert.source); this.#ask(); }
  }

  /** The open alerts; loaded once, whoever asks. */
  openAlerts() {
    return this.#once("alerts", () => this.#loadAlerts(OPEN_STATES));
  }

  /** The alerts that were decided, too. */
  decidedAlerts() {
    this.#decided = true;
    return this.#once("decided", () => this.#loadAlerts(DECIDED_STATES, DECIDED_LIMIT));
  }

  allSensors() {
    return this.#once("sensors", () => all("/datastreams", {}, {
      each: (items) => { for (const sensor of items) this.sensors.set(sensor.id, sensor); this.tell("sensors", items); },
    }));
  }

  async reload() {
    const had = [...this.#loads.keys()];
    this.#loads.clear();
    const work = { alerts: () => this.openAlerts(), decided: () => this.decidedAlerts(), sensors: () => this.allSensors() };
    await Promise.all(had.map((name) => work[name]())).catch(() => {});
    this.tell("reload");
  }

  chooseAlert(id, { reveal = true } = {}) {
    const alert = this.alerts.get(id);
    if (!alert) return;
    this.chosenAlert = id;
    this.tell("choose-alert", { alert, reveal });
    if (this.sensors.has(alert.source)) this.chooseSensor(alert.source);
  }

  chooseSensor(id, { reveal = false } = {}) {
    const sensor = this.sensors.get(id);
    if (!sensor) return;
    this.chosenSensor = id;
    this.tell("choose-sensor", { sensor, reveal });
  }

  get knowsDecided() {
    return this.#decided;
  }

  #once(name, load) {
    if (!this.#loads.has(name)) this.#loads.set(name, load().catch((problem) => { this.#loads.delete(name); throw problem; }));
    return this.#loads.get(name);
  }

  #loadAlerts(state, limit = Infinity) {
    return all("/alerts", { state, order: "harm", joined: true }, {
      limit, each: (items) => { for (const alert of items) this.alerts.set(alert.id, alert); this.tell("alerts", items); },
    });
  }

  #ask = settled(async () => {
    const ids = [...this.#asked];
    this.#asked.clear();
    const known = await Promise.all(ids.slice(0, ASKED_AT_ONCE).map((id) => get(`/datastreams/${encodeURIComponent(id)}`).catch(() => null)));
    const changed = known.filter(Boolean);
    for (const sensor of changed) this.sensors.set(sensor.id, sensor);
    if (changed.length) this.tell("sensors", changed);
  }, 700);
}
