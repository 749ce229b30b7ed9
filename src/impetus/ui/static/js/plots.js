// Charts and maps of any list of the interface, as a tool's panel declares them: which fields, and how they are drawn.

import { cityMap } from "./basemap.js";
import { element, find, harmless } from "./dom.js";
import { all, get } from "./http.js";
import { locale } from "./i18n.js";
import { MONO, SANS, colour } from "./palette.js";

const COLOURS = ["accent", "series-observed", "severity-severe", "sensor-stuck", "sensor-anomalous", "severity-moderate", "good", "severity-unknown"];
const TIME = /^\d{4}-\d\d-\d\dT/;
const ROWS = 5000;

/** The value at a dotted path; undefined where it leads nowhere. */
export function valueAt(content, path) {
  return path.split(".").reduce((inner, name) => (inner !== null && typeof inner === "object" && Object.hasOwn(inner, name) ? inner[name] : undefined), content);
}

async function rowsOf({ source, rows }) {
  const [path, text = ""] = source.split("?");
  const query = Object.fromEntries(new URLSearchParams(text));
  if (rows === "items" && !("limit" in query)) return all(path, query, { limit: ROWS });
  const found = valueAt(await get(path, query), rows);
  return Array.isArray(found) ? found.slice(0, ROWS) : [];
}

const words = (value) => harmless(typeof value === "number" ? new Intl.NumberFormat(locale, { maximumSignificantDigits: 6 }).format(value) : value ?? "–");

function axis(values, place) {
  const type = values.every((value) => typeof value === "number") ? "value" : values.every((value) => TIME.test(value)) ? "time" : "category";
  return {
    type, ...(type === "category" ? { data: [...new Set(values.map(words))] } : { scale: true }),
    axisLine: { lineStyle: { color: colour("line-3") } }, axisLabel: { color: colour("ink-3"), fontFamily: MONO, hideOverlap: true },
    splitLine: { show: place === "y", lineStyle: { color: colour("line-1") } },
  };
}

function lines(spec, rows) {
  const x = axis(rows.map((row) => valueAt(row, spec.x)), "x");
  const kind = { lines: "line", bars: "bar", points: "scatter" }[spec.style];
  if (spec.style === "bars" && x.type === "value") Object.assign(x, { type: "category", data: [...new Set(rows.map((row) => words(valueAt(row, spec.x))))] });
  const at = (row) => (x.type === "category" ? words(valueAt(row, spec.x)) : valueAt(row, spec.x));
  const unit = [...new Set(spec.series.map((one) => one.unit))].length === 1 ? spec.series[0].unit : "";
  return {
    grid: { left: 56, right: 18, top: spec.series.length > 1 ? 34 : 22, bottom: 30 },
    legend: { show: spec.series.length > 1, top: 4, textStyle: { color: colour("ink-2") }, itemHeight: 8 },
    tooltip: { trigger: kind === "scatter" ? "item" : "axis", renderMode: "richText", confine: true },
    xAxis: x,
    yAxis: { ...axis([0], "y"), scale: spec.style !== "bars", name: unit, nameTextStyle: { color: colour("ink-3"), align: "left" } },
    series: spec.series.map((one, number) => ({
      name: one.title, type: kind, showSymbol: rows.length < 60, symbolSize: 5, stack: spec.stacked ? "all" : undefined,
      areaStyle: spec.stacked && kind === "line" ? { opacity: 0.25 } : undefined, barMaxWidth: 34,
      itemStyle: { color: colour(COLOURS[number % COLOURS.length]) }, lineStyle: { width: 1.6 },
      data: rows.map((row) => [at(row), valueAt(row, one.field)]).filter(([, value]) => typeof value === "number"),
    })),
  };
}

function heat(spec, rows) {
  const [one] = spec.series;
  const cells = rows.map((row) => [words(valueAt(row, spec.x)), words(valueAt(row, spec.y)), valueAt(row, one.field)]).filter(([, , value]) => typeof value === "number");
  const values = cells.map((cell) => cell[2]);
  const side = (number) => ({ ...axis(["a"], "x"), data: [...new Set(cells.map((cell) => cell[number]))], splitArea: { show: false } });
  return {
    grid: { left: 90, right: 18, top: 14, bottom: 62 },
    tooltip: { renderMode: "richText", confine: true },
    xAxis: side(0), yAxis: side(1),
    visualMap: {
      min: Math.min(...values), max: Math.max(...values), calculable: false, orient: "horizontal", left: "center", bottom: 0, itemHeight: 90,
      text: [`${words(Math.max(...values))} ${one.unit}`, words(Math.min(...values))], textStyle: { color: colour("ink-3") },
      inRange: { color: [colour("surface-4"), colour("accent"), colour("severity-moderate"), colour("severity-extreme")] },
    },
    series: [{ name: one.title, type: "heatmap", data: cells, itemStyle: { borderColor: colour("surface-1"), borderWidth: 1 } }],
  };
}

/** A chart; draws itself anew on the event `redraw`. */
export async function drawPlot(place) {
  const spec = JSON.parse(place.dataset.plot);
  const empty = find(".plot-empty", place.parentElement);
  let chart = null;
  const show = async () => {
    const rows = await rowsOf(spec);
    empty.hidden = rows.length > 0;
    place.hidden = rows.length === 0;
    if (!rows.length) return;
    if (!chart) {
      chart = window.echarts.init(place, null, { renderer: "canvas" });
      new ResizeObserver(() => chart.resize()).observe(place);
    }
    chart.setOption({ animation: false, textStyle: { fontFamily: SANS }, ...(spec.style === "heat" ? heat(spec, rows) : lines(spec, rows)) }, true);
  };
  place.addEventListener("redraw", () => show().catch(() => {}));
  await show();
}

function scaled(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const tones = ["accent", "severity-moderate", "severity-severe", "severity-extreme"];
  return (value) => colour(typeof value === "number" ? tones[Math.min(tones.length - 1, Math.floor(((value - least) / (most - least || 1)) * tones.length))] : "accent");
}

/** Points, lines and areas on the city's map; draws itself anew on the event `redraw`. */
export async function drawAreas(frame) {
  const { L } = window;
  const spec = JSON.parse(frame.dataset.areas);
  const map = await cityMap(find("[data-map]", frame));
  const group = L.featureGroup().addTo(map);
  let touched = false; // who moved the map keeps the view
  for (const event of ["pointerdown", "wheel", "keydown"]) frame.addEventListener(event, () => { touched = true; }, { once: true, passive: true });
  const show = async () => {
    const rows = (await rowsOf(spec)).filter((row) => valueAt(row, spec.place)?.geometry);
    const tone = scaled(rows.map((row) => (spec.value ? valueAt(row, spec.value) : 0)).filter((value) => typeof value === "number"));
    group.clearLayers();
    for (const row of rows.reverse()) {
      const place = valueAt(row, spec.place);
      const color = tone(spec.value ? valueAt(row, spec.value) : undefined);
      const label = valueAt(row, spec.label) ?? place.name;
      const value = spec.value ? words(valueAt(row, spec.value)) : "";
      L.geoJSON(place.geometry, {
        style: { color, weight: 1.6, fillOpacity: 0.22 },
        pointToLayer: (_, at) => L.circleMarker(at, { radius: 6, color, weight: 1.6, fillOpacity: 0.6 }),
      }).bindTooltip(element("div", {}, element("b", {}, label ?? ""), value ? ` ${value}` : "")).addTo(group);
    }
    if (!touched && rows.length) map.fitBounds(group.getBounds(), { padding: [30, 30], maxZoom: 16, animate: false });
  };
  new ResizeObserver(() => map.invalidateSize({ animate: false, pan: false })).observe(frame);
  frame.addEventListener("redraw", () => show().catch(() => {}));
  await show();
}
