// What the room of an incident has beside its timeline, map and alerts: evidence with its chain of custody, sensors
// nearby, reasons, procedures.

import { may } from "./context.js";
import { choice, element, find, findAll, setText } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { momentText, property, withUnit, word } from "./format.js";
import { all, get } from "./http.js";
import { t } from "./i18n.js";
import { latitudeLongitude } from "./citymap.js";

const NEAR_M = 600;
const NEAR_SHOWN = 60;
const RESULTS_SHOWN = 100;
const METRES_A_DEGREE = 111_320;
const HAPPENED = { opened: () => t("opened it"), altered: () => t("found it altered"), missing: () => t("found it missing") };

export class RoomMore {
  #id;
  #map;
  #sensors = null;
  #known = "";

  constructor(id, map) {
    this.#id = id;
    this.#map = map;
    choice(find("#room-tabs"), "show", (name) => { for (const tab of findAll("[data-tab]")) tab.hidden = tab.dataset.tab !== name; });
  }

  /** Show what belongs to these alerts. */
  show(incident, alerts) {
    this.#reasons(incident);
    this.#procedures().catch(() => {});
    if (may("results:read")) this.results().catch(() => {});
    if (may("evidence:read")) this.#evidence(alerts).catch(() => {});
    const places = alerts.map((alert) => latitudeLongitude(alert.place)).filter(Boolean);
    if (!places.length && incident.place) places.push(latitudeLongitude(incident.place));
    const known = JSON.stringify(places);
    if (may("observations:read") && known !== this.#known) { this.#known = known; this.#nearby(places).catch(() => {}); }
  }

  #reasons(incident) {
    const reasons = incident.reasons ?? [];
    const probability = incident.probability ?? null;
    find('[data-slot="reasons-part"]').hidden = !reasons.length && probability === null;
    setText(find('[data-slot="probability"]'), probability === null ? "" : `P ${probability.toFixed(2)}`);
    find('[data-slot="reasons"]').replaceChildren(...reasons.map((reason) => element("li", {}, reason)));
  }

  async #procedures() {
    const place = find('[data-slot="procedures"]');
    if (!place) return;
    const { items } = await get(`/incidents/${encodeURIComponent(this.#id)}/procedures`);
    place.replaceChildren(...(items.length ? items.map((room) => this.#procedure(room)) : [element("p", { class: "muted" }, t("None is running."))]));
  }

  #procedure(room) {
    const { run } = room;
    const waiting = room.tasks.filter((task) => task.state === "open" || task.state === "claimed");
    return element("div", { class: "room-procedure" }, element("b", {}, run.title), ` · ${word(run.state)}`,
      element("ul", {}, ...waiting.map((task) => element("li", {}, element("span", {}, task.title),
        element("span", { class: "muted" }, `${task.claimed_by_name ?? task.roles.join(", ")} · ${momentText(task.due)}`)))));
  }

  /** What tools found out or propose about this incident: plans, zones, findings. */
  async results() {
    const items = await all(`/incidents/${encodeURIComponent(this.#id)}/results`, {}, { limit: RESULTS_SHOWN });
    setText(find('[data-slot="results-count"]'), items.length ? String(items.length) : "");
    find("#room-results-empty").hidden = items.length > 0;
    find("#room-results-table").hidden = items.length === 0;
    find("#room-results").replaceChildren(...items.map((result) => element("tr", {},
      element("td", { class: "mono muted" }, momentText(result.time)),
      element("td", {}, element("a", { href: `/tools/${encodeURIComponent(result.tool)}` }, result.tool)),
      element("td", {}, result.title, element("span", { class: "faint" }, result.place?.name ? ` · ${result.place.name}` : "")),
      element("td", { class: "muted" }, result.ended ? t("ended {time}", { time: momentText(result.ended) }) : t("holds")))));
  }

  async #evidence(alerts) {
    const pieces = new Map();
    for (const alert of alerts) for (const evidence of alert.evidence ?? []) if (!pieces.has(evidence.sha256)) pieces.set(evidence.sha256, { evidence, alert });
    setText(find('[data-slot="evidence-count"]'), pieces.size ? String(pieces.size) : "");
    find("#room-evidence-empty").hidden = pieces.size > 0;
    const rows = await Promise.all([...pieces.values()].map((piece) => this.#piece(piece)));
    find("#room-evidence").replaceChildren(...rows);
  }

  async #piece({ evidence, alert }) {
    const row = element("li", {});
    const chain = element("ol", {});
    const fill = async () => {
      const { items } = await get(`/evidence/${evidence.sha256}/custody`);
      chain.replaceChildren(element("li", {}, element("time", {}, momentText(alert.received)), " ", t("came with “{headline}”", { headline: alert.headline })),
        ...items.map((entry) => element("li", { class: entry.kind === "opened" ? null : "altered" }, element("time", {}, momentText(entry.time)), ` ${[entry.person_name, entry.organisation].filter(Boolean).join(", ")}: ${HAPPENED[entry.kind]?.() ?? entry.kind} – “${entry.reason}”`)));
    };
    const open = async () => {
      const opened = await openEvidence(evidence.sha256, evidence.title, this.#id);
      await fill().catch(() => {});
      if (!opened) return;
      find("img, [download]", row)?.remove();
      if (opened.shown) row.append(element("img", { src: opened.address, alt: evidence.title }));
      else { const link = element("a", { href: opened.address, download: evidence.sha256 }, t("Download")); row.append(link); link.click(); }
    };
    row.append(element("span", {}, element("b", {}, evidence.title), element("span", { class: "muted" }, ` · ${evidence.media_type} · ${evidence.data_class}`)),
      element("button", { type: "button", class: "button small", onclick: open }, t("Open …")),
      element("span", { class: "hash mono" }, `SHA-256 ${evidence.sha256}`), chain);
    await fill();
    return row;
  }

  async #nearby(places) {
    this.#sensors ??= await all("/datastreams");
    const near = this.#sensors.map((sensor) => ({ sensor, at: latitudeLongitude(sensor.place) })).filter(({ at }) => at)
      .map(({ sensor, at }) => ({ sensor, metres: Math.min(...places.map((place) => metres(place, at))) }))
      .filter(({ metres: far }) => far <= NEAR_M).sort((a, b) => a.metres - b.metres).slice(0, NEAR_SHOWN);
    setText(find('[data-slot="nearby-count"]'), near.length ? String(near.length) : "");
    find("#room-nearby").replaceChildren(...near.map(({ sensor, metres: far }) => element("tr", {},
      element("td", { class: "mono muted" }, `${Math.round(far)} m`),
      element("td", {}, element("a", { href: `/sensors?datastream=${encodeURIComponent(sensor.id)}` }, sensor.name)),
      element("td", {}, property(sensor.observed_property)),
      element("td", { class: "number" }, sensor.latest ? withUnit(sensor.latest.value, sensor.unit) : "–"),
      element("td", {}, word(sensor.state)))));
    for (const { sensor } of near) this.#map.putSensor?.(sensor);
  }
}

/** Metres between two places, near enough within a city. */
function metres(a, b) {
  const down = (a[0] - b[0]) * METRES_A_DEGREE;
  const across = (a[1] - b[1]) * METRES_A_DEGREE * Math.cos((a[0] * Math.PI) / 180);
  return Math.hypot(down, across);
}
