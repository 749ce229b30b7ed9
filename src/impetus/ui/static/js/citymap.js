// The map of a page: the city, its sensors and its alerts, with a legend that counts and filters.

import { element, find, findAll, paced, setText } from "./dom.js";
import { property, whole, withUnit, word } from "./format.js";
import { cityMap } from "./basemap.js";
import { CHOSEN, markOfAlert, markOfSensor } from "./marks.js";
import { SENSOR_STATES, SEVERITIES, SEVERITY_RANK } from "./palette.js";
import { PointsLayer } from "./points.js";

const LARGE_MARKS_FROM = 15;
const LONGEST_WAIT = 2500;
const SENSOR_RANK = { ok: 0, unknown: 1, stuck: 2, silent: 3, anomalous: 4 };

/** Where a place is, as Leaflet wants it; null if it has none. */
export function latitudeLongitude(place) {
  const geometry = place?.geometry;
  if (!geometry) return null;
  if (geometry.type === "Point") return [geometry.coordinates[1], geometry.coordinates[0]];
  const ring = geometry.type === "Polygon" ? geometry.coordinates[0].slice(0, -1) : geometry.coordinates;
  const sum = ring.reduce((so_far, at) => [so_far[0] + at[1], so_far[1] + at[0]], [0, 0]);
  return [sum[0] / ring.length, sum[1] / ring.length];
}

export class AlertMap extends EventTarget {
  #hidden = new Set();
  #chosen = { alert: null, sensor: null };
  #states = new Set(["new", "acknowledged", "escalated"]);
  #frame;
  #count;
  #early = [];

  /** `frame` is the element of the macro `city_map`. */
  constructor(frame) {
    super();
    this.#frame = frame;
    this.#count = paced(() => this.#countUp(), 250);
  }

  async start(described) {
    const { L } = window;
    const place = find("[data-map]", this.#frame);
    place.classList.add("waiting"); // until `ready`: then nothing jumps when the data arrive
    setTimeout(() => place.classList.remove("waiting"), LONGEST_WAIT);
    const map = await cityMap(place, described);
    this.map = map;
    map.createPane("sensors").style.zIndex = 420;
    map.createPane("alerts").style.zIndex = 430;
    this.sensors = new PointsLayer(
      (point) => (this.#hidden.has(point.state) ? null : markOfSensor(point.state, map.getZoom() >= LARGE_MARKS_FROM)),
      { pane: "sensors", order: (a, b) => SENSOR_RANK[a.state] - SENSOR_RANK[b.state], above: () => this.#above("sensor") },
    ).addTo(map);
    this.alerts = new PointsLayer(
      (point) => (this.#hidden.has(point.severity) || !this.#states.has(point.state) ? null : markOfAlert(point.severity, point.state !== "new")),
      { pane: "alerts", order: (a, b) => SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity], above: () => this.#above("alert") },
    ).addTo(map);
    this.#tip = L.tooltip({ direction: "top", offset: [0, -10], opacity: 1 });
    for (const put of this.#early.splice(0)) put();
    map.on("mousemove", (event) => this.#hover(event));
    map.on("mouseout", () => this.#tip.remove());
    map.on("click", (event) => this.#click(event));
    this.#legend();
    new ResizeObserver(() => map.invalidateSize({ animate: false, pan: false })).observe(this.#frame);
    return this;
  }

  #tip;

  /** Show alerts even when they are decided (an incident room does). */
  showAll() {
    for (const state of ["confirmed", "dismissed"]) this.#states.add(state);
  }

  putSensor(sensor) {
    if (!this.sensors) { this.#early.push(() => this.putSensor(sensor)); return; }
    const at = latitudeLongitude(sensor.place);
    if (!at) return;
    this.sensors.put({ id: sensor.id, at, state: SENSOR_STATES.includes(sensor.state) ? sensor.state : "unknown", sensor });
    this.#count();
  }

  putAlert(alert) {
    if (!this.alerts) { this.#early.push(() => this.putAlert(alert)); return; }
    const at = latitudeLongitude(alert.place);
    if (at) this.alerts.put({ id: alert.id, at, severity: alert.severity, state: alert.state, alert });
    this.#count();
  }

  removeAlert(id) {
    this.alerts.remove_(id);
    this.#count();
  }

  clearAlerts() {
    this.alerts.clear();
    this.#count();
  }

  choose(kind, id) {
    this.#chosen[kind] = id;
    this.sensors?.redraw();
    this.alerts?.redraw();
  }

  /** Bring a place into view, without moving the map when it is in view already. */
  reveal(place, { zoom = null } = {}) {
    const at = latitudeLongitude(place);
    if (!at || !this.map) return;
    if (zoom !== null && this.map.getZoom() < zoom) this.map.setView(at, zoom);
    else this.map.panInside(at, { padding: [60, 70] });
  }

  /** Show all points of a kind at once, as near as that allows. */
  fit(points = this.alerts) {
    const places = [...points.values()].map((point) => point.at);
    if (places.length) this.map.fitBounds(places, { padding: [34, 46], maxZoom: 16, animate: false });
    this.ready();
  }

  /** The first data are there. */
  ready() {
    find("[data-map]", this.#frame).classList.remove("waiting");
  }

  #above(kind) {
    const id = this.#chosen[kind];
    return id ? { id, mark: CHOSEN } : null;
  }

  #under(event) {
    const alert = this.alerts.at(event.containerPoint);
    return alert ? ["alert", alert] : ["sensor", this.sensors.at(event.containerPoint)];
  }

  #hover(event) {
    const [kind, point] = this.#under(event);
    this.map.getContainer().style.cursor = point ? "pointer" : "";
    if (!point) { this.#tip.remove(); return; }
    const lines = kind === "alert"
      ? [element("b", {}, point.alert.headline), element("span", { class: "severity", "data-severity": point.severity }, word(point.severity)), ` ${word(point.state)}`]
      : [element("b", {}, point.sensor.name), `${property(point.sensor.observed_property)}: ${point.sensor.latest ? withUnit(point.sensor.latest.value, point.sensor.unit) : "–"} · ${word(point.state)}`];
    this.#tip.setLatLng(point.at).setContent(element("div", {}, ...lines)).addTo(this.map);
  }

  #click(event) {
    const [kind, point] = this.#under(event);
    if (point) this.dispatchEvent(new CustomEvent(kind, { detail: point.id }));
  }

  #legend() {
    for (const button of findAll("[data-severity], [data-sensor]", this.#frame)) {
      const name = button.dataset.severity ?? button.dataset.sensor;
      // The two scales share no word but "unknown", which is written differently in each.
      button.addEventListener("click", () => {
        const hide = !this.#hidden.has(name);
        if (hide) this.#hidden.add(name); else this.#hidden.delete(name);
        button.setAttribute("aria-pressed", String(!hide));
        this.sensors.redraw();
        this.alerts.redraw();
      });
    }
  }

  #countUp() {
    const severities = Object.fromEntries(SEVERITIES.map((name) => [name, 0]));
    const states = Object.fromEntries(SENSOR_STATES.map((name) => [name, 0]));
    for (const point of this.alerts.values()) if (this.#states.has(point.state)) severities[point.severity] += 1;
    for (const point of this.sensors.values()) states[point.state] += 1;
    for (const [name, count] of Object.entries(severities)) this.#showCount(find(`[data-severity="${name}"]`, this.#frame), name, count);
    for (const [name, count] of Object.entries(states)) this.#showCount(find(`[data-sensor="${name}"]`, this.#frame), name, count);
  }

  #showCount(button, name, count) {
    if (!button) return;
    setText(find("[data-count]", button), whole(count));
    button.hidden = count === 0 && name.toLowerCase() === "unknown";
  }
}
