// All streams on a map, one of them in detail, the heat map of the last two days, and the threshold.

import { daysOption, heatOption, seriesOption } from "./drawings.js";
import { speaker } from "./words.js";

const COLOUR = { level: "severity-severe", apart: "severity-minor", silence: "sensor-silent", stuck: "sensor-stuck", impossible: "severity-extreme", unit: "sensor-stuck", place: "severity-moderate" };
const WORD = { level: "unusual", apart: "sensor apart", silence: "silent", stuck: "stuck", impossible: "impossible", unit: "unit changed?", place: "does not fit its place" };
const SHOWN_HOURS = 24;

function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function tall(name, height, label) {
  const made = node(name, { role: "img", "aria-label": label });
  made.style.height = height;
  made.style.minWidth = "0";
  return made;
}

export function mount(element, context) {
  const say = speaker(context.language);
  const state = { ids: [], names: [], places: [], overview: null, states: new Map(), chosen: null, asked: 0 };
  const counts = node("p", { "aria-live": "polite" });
  const find = node("input", { type: "search", list: "anomaly-streams", "aria-label": say("Find a stream"), placeholder: say("Find a stream") });
  const list = node("datalist", { id: "anomaly-streams" });
  const mapBox = tall("div", "24rem", say("Map of the streams"));
  const title = node("h3", {}, say("Choose a stream on the map, in the heat map or by name."));
  const series = tall("div", "11rem", say("observed"));
  const facts = node("ul");
  const daysTitle = node("b", {}, say("Days like this"));
  const days = tall("div", "9rem", say("Days like this"));
  const heatTitle = node("b", {}, say("Streams by hour"));
  const heat = tall("div", "20rem", say("Streams by hour"));
  const slider = node("input", { type: "range", min: "0", max: "60", step: "1", id: "anomaly-bar" });
  const told = node("output", { for: "anomaly-bar" });
  const use = node("button", { type: "button", class: "button" }, say("Use this threshold"));
  const reset = node("button", { type: "button", class: "button" }, say("As set up"));
  const right = node("div", {}, title, series, facts, daysTitle, days);
  const two = node("div", {}, node("div", {}, mapBox), right);
  for (const [property, value] of [["display", "grid"], ["gridTemplateColumns", "minmax(0, 1fr) minmax(0, 1fr)"], ["gap", "1rem"]]) two.style[property] = value;
  mapBox.style.background = context.colour("surface-1");
  slider.style.flex = "1";
  slider.style.maxWidth = "24rem";
  const bars = [node("div", {}, counts, find, list), node("div", {}, node("label", { for: "anomaly-bar" }, say("False alerts a day")), slider, told, use, reset)];
  for (const bar of bars) {
    for (const [property, value] of [["display", "flex"], ["flexWrap", "wrap"], ["alignItems", "center"], ["gap", "0.8rem"], ["margin", "0.5rem 0"]]) bar.style[property] = value;
  }
  find.style.background = context.colour("surface-3");
  find.style.color = context.colour("ink-1");
  find.style.border = `1px solid ${context.colour("line-3")}`;
  find.style.padding = "0.3rem 0.6rem";
  facts.style.margin = "0.3rem 0";
  element.replaceChildren(bars[0], two, bars[1], heatTitle, heat);
  let map = null;
  let charts = {};
  let base = null;
  let marked = null;

  const quiet = () => context.colour("sensor-ok");
  const styleOf = (row) => {
    const now = state.states.get(row);
    return now
      ? { radius: 6, color: context.colour(COLOUR[now[1]]), fillColor: context.colour(COLOUR[now[1]]), fillOpacity: 0.95, weight: 1 }
      : { radius: 3, color: quiet(), fillColor: quiet(), fillOpacity: 0.55, weight: 0 };
  };

  // One layer draws all quiet streams in one go; only those that are not as usual are objects of their own.
  function quietLayer() {
    const { L } = window;
    const Layer = L.Layer.extend({
      onAdd(on) {
        this.canvas = L.DomUtil.create("canvas", "", on.getPanes().overlayPane);
        on.on("moveend zoomend resize", this.draw, this);
        this.draw();
      },
      onRemove(on) { this.canvas.remove(); on.off("moveend zoomend resize", this.draw, this); },
      draw() {
        const size = map.getSize();
        L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
        this.canvas.width = size.x;
        this.canvas.height = size.y;
        const pen = this.canvas.getContext("2d");
        pen.fillStyle = quiet();
        pen.globalAlpha = 0.7;
        const side = state.places.length > 2000 ? 2 : 5;
        for (let row = 0; row < state.places.length; row += 1) {
          if (!state.places[row] || state.states.has(row)) continue;
          const point = map.latLngToContainerPoint([state.places[row][1], state.places[row][0]]);
          pen.fillRect(point.x - side / 2, point.y - side / 2, side, side);
        }
      },
    });
    return new Layer();
  }

  function nearestRow(at) {
    let best = null;
    let least = 12;
    for (let row = 0; row < state.places.length; row += 1) {
      if (!state.places[row]) continue;
      const point = map.latLngToContainerPoint([state.places[row][1], state.places[row][0]]);
      const away = Math.hypot(point.x - at.x, point.y - at.y) - (state.states.has(row) ? 4 : 0);
      if (away < least) { least = away; best = row; }
    }
    return best;
  }

  function drawMap() {
    if (!map) return;
    base.draw();
    marked.clearLayers();
    for (const [row] of state.states) {
      const place = state.places[row];
      if (place) window.L.circleMarker([place[1], place[0]], { ...styleOf(row), interactive: false }).addTo(marked);
    }
    if (state.chosen !== null && state.places[state.chosen]) {
      const place = state.places[state.chosen];
      window.L.circleMarker([place[1], place[0]], { radius: 10, color: context.colour("ink-1"), weight: 2, fill: false, interactive: false }).addTo(marked);
    }
  }

  function falseAlertsAt(bar) {
    const { threshold } = state.overview;
    return threshold.readings_a_day / 10 ** bar;
  }

  function drawBar() {
    if (!state.overview) return;
    const { past, threshold } = state.overview;
    const at = Number(slider.value);
    const bar = past.bars[at];
    const inForce = Math.abs(bar - threshold.rarity) < 0.051 ? ` (${say("in force")})` : "";
    const a_day = falseAlertsAt(bar);
    told.textContent = `${a_day < 10 ? a_day.toPrecision(2) : Math.round(a_day)}${inForce} · ${say("once in 10^{n} readings", { n: bar })} · ${
      say("{count} alerts in the last {days} days at this threshold", { count: past.alerts[at], days: Math.round(past.days * 10) / 10 })}`;
  }

  async function show() {
    const page = await context.get(`/tools/${context.tool}/results`, { kind: "overview", limit: 1 });
    const first = !state.overview;
    state.overview = page.items[0]?.content ?? null;
    if (!state.overview) return;
    state.states = new Map(state.overview.states.map((one) => [one[0], one]));
    const by = new Map();
    for (const [, what] of state.overview.states) by.set(what, (by.get(what) ?? 0) + 1);
    // The colours of the map are explained where the streams are counted.
    const legend = [...by].map(([what, count]) => {
      const dot = node("span", { "aria-hidden": "true" }, "● ");
      dot.style.color = context.colour(COLOUR[what]);
      const entry = node("span", {}, dot, `${count} ${say(WORD[what])}`);
      entry.style.marginLeft = "0.8rem";
      return entry;
    });
    counts.replaceChildren(say("{watched} streams, {count} not as usual", { watched: state.overview.watched.toLocaleString(context.locale), count: state.overview.states.length.toLocaleString(context.locale) }), ...legend);
    if (first) slider.value = String(state.overview.past.bars.reduce((best, bar, i, bars) => (Math.abs(bar - state.overview.threshold.rarity) < Math.abs(bars[best] - state.overview.threshold.rarity) ? i : best), 0));
    drawBar();
    drawMap();
    const some = state.overview.heat.cells.length > 0;
    heatTitle.textContent = some ? say("Streams by hour") : say("Nothing unusual in the last two days");
    heat.style.height = `${3 + 1.1 * Math.max(state.overview.heat.streams.length, 1)}rem`;
    charts.heat.resize();
    charts.heat.setOption(heatOption(context, state.overview.heat), { notMerge: true });
    if (first && state.chosen === null && state.overview.states.length) choose(state.overview.states[0][0]);
  }

  async function streams() {
    const documents = await context.all(`/tools/${context.tool}/results`, { kind: "streams" });
    for (const { content } of documents) {
      for (let i = 0; i < content.ids.length; i += 1) {
        state.ids[content.first + i] = content.ids[i];
        state.names[content.first + i] = content.names[i];
        state.places[content.first + i] = content.places[i];
      }
    }
    const places = state.places.filter(Boolean).map(([longitude, latitude]) => [latitude, longitude]);
    if (map && places.length) map.fitBounds(window.L.latLngBounds(places).pad(0.05), { animate: false });
    drawMap();
  }

  async function choose(row) {
    if (row === null || row === undefined || !state.ids[row]) return;
    state.chosen = row;
    const asked = (state.asked += 1);
    const id = state.ids[row];
    title.textContent = state.names[row] || id;
    drawMap();
    const path = `/datastreams/${encodeURIComponent(id)}`;
    const since = new Date(Date.now() - SHOWN_HOURS * 3_600_000).toISOString();
    const [observations, expectations, alerts] = await Promise.all([
      context.get(`${path}/observations`, { since, points: 600 }), context.get(`${path}/expectations`, { since, points: 600 }),
      context.get("/alerts", { tool: context.tool, source: id, order: "time", limit: 50 }),
    ]);
    if (asked !== state.asked) return;
    if (!observations.time.length) title.textContent += ` · ${say("No reading in this time")}`;
    charts.series.setOption(seriesOption(context, say, { observations, expectations, alerts: alerts.items }), { notMerge: true });
    const done = await context.ask("inspect", { id });
    if (asked !== state.asked || done.state !== "done") return;
    const results = await context.get(`/tools/${context.tool}/results`, { kind: "stream", limit: 20 });
    const found = results.items.find((one) => one.content.id === id)?.content;
    if (!found || asked !== state.asked) return;
    const speaking = found.contributions.filter((one) => one.rarity >= 1).sort((a, b) => b.rarity - a.rarity).slice(0, 3);
    facts.replaceChildren(
      node("li", {}, `${say("What speaks")}: ${speaking.map((one) => `${one.what} (${say("once in 10^{n} readings", { n: one.rarity.toFixed(1) })})`).join(", ") || "–"}`),
      node("li", {}, `${say("Neighbours")}: ${found.neighbours}`),
      node("li", {}, `${found.verdicts.confirmed} ${say("confirmed")}, ${found.verdicts.dismissed} ${say("dismissed")} · ×${(10 ** found.verdicts.shift).toFixed(1)}`),
    );
    charts.days.setOption(daysOption(context, say, found), { notMerge: true });
  }

  slider.addEventListener("input", drawBar);
  use.hidden = reset.hidden = !["supervisor", "analyst"].includes(context.person.role);
  use.addEventListener("click", () => context.ask("threshold", { false_alerts_a_day: Math.min(falseAlertsAt(state.overview.past.bars[Number(slider.value)]), 1000) }));
  reset.addEventListener("click", () => context.ask("threshold", {}));
  find.addEventListener("input", () => {
    const text = find.value.toLowerCase();
    const exact = state.ids.findIndex((id) => id.toLowerCase() === text);
    if (exact >= 0) { choose(exact); return; }
    const found = [];
    for (let row = 0; row < state.ids.length && found.length < 20 && text; row += 1) {
      if (state.ids[row].toLowerCase().includes(text) || state.names[row].toLowerCase().includes(text)) found.push(row);
    }
    list.replaceChildren(...found.map((row) => node("option", { value: state.ids[row] }, state.names[row])));
  });
  // Streets and shores beneath the streams, quietly; without them the streams are drawn all the same.
  async function ground() {
    const shapes = await context.get("/map/base").catch(() => ({ features: [] }));
    const features = (shapes.features ?? []).filter((one) => one.geometry && one.geometry.type !== "Point");
    const pane = map.createPane("ground");
    pane.style.zIndex = "200";
    window.L.geoJSON({ type: "FeatureCollection", features }, {
      pane: "ground", interactive: false, renderer: window.L.canvas({ pane: "ground" }),
      style: { color: context.colour("line-3"), weight: 1, fill: false },
    }).addTo(map);
  }

  const stop = context.on("result", (news) => {
    if (news.kind === "overview") show();
    if (news.kind === "streams") streams();
  });
  (async () => {
    await Promise.all([context.library("leaflet"), context.library("charts")]);
    charts = Object.fromEntries(Object.entries({ series, days, heat }).map(([name, place]) => [name, window.echarts.init(place)]));
    charts.heat.on("click", (event) => choose(state.ids.indexOf(state.overview.heat.streams[event.componentType === "yAxis" ? event.value && state.overview.heat.streams.indexOf(event.value) : event.value[1]])));
    map = window.L.map(mapBox, { preferCanvas: true, attributionControl: false, zoomAnimation: false, zoomSnap: 0.25 }).setView([63.43, 10.4], 12);
    map.on("click", (event) => choose(nearestRow(event.containerPoint)));
    base = quietLayer().addTo(map);
    marked = window.L.layerGroup().addTo(map);
    await Promise.all([ground(), streams()]);
    await show();
  })().catch((problem) => { counts.textContent = problem.message; });
  const watch = new ResizeObserver(() => { for (const chart of Object.values(charts)) chart.resize(); map?.invalidateSize(); });
  watch.observe(element);
  return () => {
    stop();
    watch.disconnect();
    for (const chart of Object.values(charts)) chart.dispose();
    map?.remove();
  };
}
