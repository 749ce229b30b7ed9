// The sensors that are out of the ordinary now, as small live lines.

import { now as presentMoment } from "./clock.js";
import { element, find, setText } from "./dom.js";
import { property, unit, value, whole, word } from "./format.js";
import { get } from "./http.js";
import { t } from "./i18n.js";
import { SENSOR_COLOUR, colour } from "./palette.js";

const SPAN = 30 * 60_000;
const ROWS = 12;
const RATIO = Math.max(1, window.devicePixelRatio || 1);
const WIDTH = 76;
const HEIGHT = 26;

export class Sparks {
  #rows = new Map();
  #chosen;
  #list;

  /** `chosen(id)` is called when a row is clicked. */
  constructor(list, chosen) {
    this.#list = list;
    this.#chosen = chosen;
  }

  /** Show the unusual ones among all sensors; rows that stay keep their place. */
  rank(sensors) {
    const unusual = [...sensors.values()].filter((sensor) => sensor.state !== "ok" && sensor.state !== "unknown");
    const rank = { anomalous: 0, stuck: 1, silent: 2 };
    unusual.sort((a, b) => rank[a.state] - rank[b.state] || (a.name < b.name ? -1 : 1));
    setText(find("[data-unusual-count]"), whole(unusual.length));
    const wanted = new Set(unusual.slice(0, ROWS).map((sensor) => sensor.id));
    for (const [id, row] of this.#rows) if (!wanted.has(id)) { row.button.remove(); this.#rows.delete(id); }
    for (const sensor of unusual.slice(0, ROWS)) {
      if (this.#rows.has(sensor.id)) this.#describe(sensor); else this.#add(sensor);
    }
    if (!wanted.size && !this.#list.firstChild) {
      this.#list.append(element("div", { class: "empty" }, element("b", {}, t("All sensors read as expected"))));
    } else if (wanted.size) {
      find(".empty", this.#list)?.remove();
    }
  }

  append(id, time, reading) {
    const row = this.#rows.get(id);
    if (!row) return;
    row.points.push([time, reading]);
    setText(row.reading, value(reading));
    this.#draw(row);
  }

  #add(sensor) {
    const canvas = element("canvas", { width: WIDTH * RATIO, height: HEIGHT * RATIO, "aria-hidden": "true" });
    const reading = document.createTextNode(sensor.latest ? value(sensor.latest.value) : "–");
    const name = element("b", { class: "clip", title: sensor.name }, sensor.place?.name ?? sensor.name);
    const under = element("small", { class: "clip" });
    const button = element("button", { type: "button", class: "spark", onclick: () => this.#chosen(sensor.id) },
      element("span", { class: "clip" }, name, under), canvas,
      element("span", { class: "value" }, reading, element("small", { class: "faint" }, ` ${unit(sensor.unit)}`)));
    const row = { button, canvas, reading, under, points: [], state: sensor.state };
    this.#rows.set(sensor.id, row);
    this.#list.append(button);
    this.#describe(sensor);
    const until = presentMoment();
    get(`/datastreams/${encodeURIComponent(sensor.id)}/observations`, { since: new Date(until - SPAN).toISOString(), until: new Date(until + 60_000).toISOString(), points: 60 })
      .then((columns) => {
        row.points = [...columns.time.map((time, i) => [Date.parse(time), columns.value[i]]), ...row.points];
        this.#draw(row);
      }, () => {});
  }

  #describe(sensor) {
    const row = this.#rows.get(sensor.id);
    row.state = sensor.state;
    setText(row.under, `${property(sensor.observed_property)} · ${word(sensor.state)}`);
    this.#draw(row);
  }

  #draw(row) {
    const pen = row.canvas.getContext("2d");
    pen.setTransform(RATIO, 0, 0, RATIO, 0, 0);
    pen.clearRect(0, 0, WIDTH, HEIGHT);
    const now = presentMoment();
    while (row.points.length && row.points[0][0] < now - SPAN) row.points.shift();
    pen.strokeStyle = colour("line-2");
    pen.beginPath(); pen.moveTo(0, HEIGHT - 0.5); pen.lineTo(WIDTH, HEIGHT - 0.5); pen.stroke();
    if (row.points.length < 2) return;
    let low = Infinity;
    let high = -Infinity;
    for (const [, reading] of row.points) { low = Math.min(low, reading); high = Math.max(high, reading); }
    const range = high - low || 1;
    const at = ([time, reading]) => [WIDTH - 3 - ((now - time) / SPAN) * (WIDTH - 3), HEIGHT - 4 - ((reading - low) / range) * (HEIGHT - 8)];
    pen.beginPath();
    row.points.forEach((point, i) => { const [x, y] = at(point); if (i) pen.lineTo(x, y); else pen.moveTo(x, y); });
    pen.lineWidth = 1.4;
    pen.lineJoin = "round";
    pen.strokeStyle = SENSOR_COLOUR[row.state] ?? colour("series-observed");
    pen.stroke();
    const [x, y] = at(row.points.at(-1));
    pen.beginPath(); pen.arc(x, y, 2.2, 0, Math.PI * 2); pen.fillStyle = pen.strokeStyle; pen.fill();
  }
}
