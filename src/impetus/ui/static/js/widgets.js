// The widgets of tools' panels that draw themselves in the browser.

import { now } from "./clock.js";
import { AlertMap } from "./citymap.js";
import { element, find, findAll, settled } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { all, get, post } from "./http.js";
import { t } from "./i18n.js";
import { SANS, colour } from "./palette.js";
import { drawAreas, drawPlot, valueAt } from "./plots.js";
import { seriesOf } from "./readings.js";
import { SeriesChart } from "./series.js";
import { stream } from "./stream.js";
import { toast } from "./toast.js";
import { mountModule } from "./tool_modules.js";
import { askAndTell, followActions, replaceKeepingRow } from "./tool_tasks.js";

const GROUPS = ["accent", "good", "severity-severe", "sensor-stuck", "sensor-anomalous", "severity-moderate", "severity-unknown"];

async function drawSeries(place) {
  const sensor = await get(`/datastreams/${encodeURIComponent(place.dataset.series)}`);
  const until = now();
  new SeriesChart(place).show(await seriesOf(sensor, until - Number(place.dataset.hours) * 3_600_000, until, 900));
}

async function drawMap(place) {
  const map = await new AlertMap(find(".map-frame", place)).start();
  const [path, query = ""] = place.dataset.mapSource.split("?");
  const items = await all(path, Object.fromEntries(new URLSearchParams(query)), { limit: 5000 });
  for (const item of items) if (item.place) { if (item.severity) map.putAlert(item); else map.putSensor(item); }
}

async function drawGraph(place) {
  const chart = window.echarts.init(place, null, { renderer: "canvas" });
  new ResizeObserver(() => chart.resize()).observe(place);
  place.addEventListener("redraw", () => showGraph(place, chart).catch(() => {}));
  await showGraph(place, chart);
}

async function showGraph(place, chart) {
  const answer = await get(place.dataset.graph);
  const graph = { nodes: [], edges: [], ...(place.dataset.graphValue ? valueAt(answer, place.dataset.graphValue) : answer) };
  const groups = [...new Set(graph.nodes.map((node) => node.group ?? ""))];
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
}

function valueOf(field) {
  if (field.dataset.kind === "checkbox") return field.checked;
  if (field.dataset.kind === "number") return field.value === "" ? undefined : Number(field.value);
  return field.value === "" ? undefined : field.value;
}

async function send(form) {
  const body = Object.fromEntries(findAll("[name]", form).map((field) => [field.name, valueOf(field)]));
  if (form.dataset.formTask) {
    form.ariaBusy = "true";
    toast("info", t("Asked. It is told here when it is done."));
    await askAndTell(form.closest("[data-tool]").dataset.tool, form.dataset.formTask, body);
    form.ariaBusy = "false";
    return;
  }
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

const REFRESH = 30_000;
const IN_BROWSER = "[data-series], [data-map-source], [data-graph], [data-plot], [data-areas], [data-form], [data-media]";

/** Draw a tool's panel again when the tool published something or did what it was asked, and now and then. */
function follow(panel) {
  const again = settled(async () => {
    if (!panel.isConnected || document.hidden) return;
    const response = await fetch(panel.dataset.live, { credentials: "same-origin" }).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const fresh = findAll(".widgets > section", new DOMParser().parseFromString(await response.text(), "text/html").body);
    findAll(".widgets > section", panel).forEach((section, number) => {
      const drawn = findAll("[data-graph], [data-plot], [data-areas]", section);
      for (const one of drawn) one.dispatchEvent(new Event("redraw"));
      if (fresh[number] && !find(IN_BROWSER, section) && !find(IN_BROWSER, fresh[number])) replaceKeepingRow(section, document.adoptNode(fresh[number]));
    });
  }, 300);
  const heard = (event) => { if (event.detail.tool === panel.dataset.tool) again(); };
  stream.want("results");
  stream.addEventListener("result", heard);
  stream.addEventListener("request", heard);
  const timer = setInterval(() => {
    if (panel.isConnected) { again(); return; }
    clearInterval(timer);
    stream.removeEventListener("result", heard);
    stream.removeEventListener("request", heard);
  }, REFRESH);
}

/** Draw all widgets within a place. */
export function drawWidgets(place = document) {
  for (const one of findAll("[data-series]", place)) drawSeries(one).catch(tell);
  for (const one of findAll("[data-map-source]", place)) drawMap(one).catch(tell);
  for (const one of findAll("[data-graph]", place)) drawGraph(one).catch(tell);
  for (const one of findAll("[data-plot]", place)) drawPlot(one).catch(tell);
  for (const one of findAll("[data-areas]", place)) drawAreas(one).catch(tell);
  for (const one of findAll("[data-module]", place)) mountModule(one);
  for (const one of findAll("[data-live]", place)) { followActions(one); follow(one); }
  for (const button of findAll("[data-media]", place)) button.addEventListener("click", () => openMedia(button).catch(tell));
  for (const form of findAll("[data-form]", place)) form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}
