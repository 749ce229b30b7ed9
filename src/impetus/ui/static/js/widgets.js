// The widgets of tools' panels that draw themselves in the browser.

import { AlertMap } from "./citymap.js";
import { element, find, findAll } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { all, get, post } from "./http.js";
import { t } from "./i18n.js";
import { SANS, colour } from "./palette.js";
import { seriesOf } from "./readings.js";
import { SeriesChart } from "./series.js";
import { toast } from "./toast.js";

const GROUPS = ["accent", "good", "severity-severe", "sensor-stuck", "sensor-anomalous", "severity-moderate", "severity-unknown"];

async function drawSeries(place) {
  const sensor = await get(`/datastreams/${encodeURIComponent(place.dataset.series)}`);
  const until = Date.now();
  new SeriesChart(place).show(await seriesOf(sensor, until - Number(place.dataset.hours) * 3_600_000, until, 900));
}

async function drawMap(place) {
  const map = await new AlertMap(find(".map-frame", place)).start();
  const [path, query = ""] = place.dataset.mapSource.split("?");
  const items = await all(path, Object.fromEntries(new URLSearchParams(query)), { limit: 5000 });
  for (const item of items) if (item.place) { if (item.severity) map.putAlert(item); else map.putSensor(item); }
}

async function drawGraph(place) {
  const graph = await get(place.dataset.graph);
  const groups = [...new Set(graph.nodes.map((node) => node.group ?? ""))];
  const chart = window.echarts.init(place, null, { renderer: "canvas" });
  chart.setOption({
    animation: false, textStyle: { fontFamily: SANS },
    legend: { data: groups, orient: "vertical", left: 10, top: "middle", textStyle: { color: colour("ink-2") } },
    series: [{
      type: "graph", layout: "force", roam: true, force: { repulsion: 40, edgeLength: 40, layoutAnimation: false },
      categories: groups.map((name, i) => ({ name, itemStyle: { color: colour(GROUPS[i % GROUPS.length]) } })),
      data: graph.nodes.map((node) => ({ id: node.id, name: node.name ?? node.id, category: groups.indexOf(node.group ?? ""), symbolSize: 8 })),
      links: graph.edges, lineStyle: { color: colour("line-3"), width: 1 },
      label: { show: graph.nodes.length < 40, position: "right", color: colour("ink-2") },
    }],
  });
  new ResizeObserver(() => chart.resize()).observe(place);
}

function valueOf(field) {
  if (field.dataset.kind === "checkbox") return field.checked;
  if (field.dataset.kind === "number") return field.value === "" ? undefined : Number(field.value);
  return field.value === "" ? undefined : field.value;
}

async function send(form) {
  const body = Object.fromEntries(findAll("[name]", form).map((field) => [field.name, valueOf(field)]));
  try {
    await post(form.dataset.form, body);
    toast("good", t("Sent."));
    form.reset();
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
  }
}

async function openMedia(button) {
  const opened = await openEvidence(button.dataset.media, button.dataset.mediaTitle);
  if (!opened) return;
  const kind = { image: "img", audio: "audio", video: "video" }[button.dataset.mediaKind];
  button.replaceWith(element(kind, { src: opened.address, class: "media", controls: kind !== "img", alt: kind === "img" ? button.dataset.mediaTitle : null }));
}

const tell = (problem) => toast("bad", problem.message, problem.hint);

/** Draw all widgets within a place. */
export function drawWidgets(place = document) {
  for (const one of findAll("[data-series]", place)) drawSeries(one).catch(tell);
  for (const one of findAll("[data-map-source]", place)) drawMap(one).catch(tell);
  for (const one of findAll("[data-graph]", place)) drawGraph(one).catch(tell);
  for (const button of findAll("[data-media]", place)) button.addEventListener("click", () => openMedia(button).catch(tell));
  for (const form of findAll("[data-form]", place)) form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}
