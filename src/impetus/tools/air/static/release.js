// The release on a map: zones by lead time, the likely source, the wind, the sensors and where to sample next.

import { speaker } from "./words.js";

const LEVELS = ["severity-moderate", "severity-severe", "severity-extreme"];

function node(name, attributes = {}, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

/** Two digits, large numbers by powers of ten: 260000000 is 2.6 × 10⁸. */
function rounded(value) {
  const [digits, power] = value.toExponential(1).split("e+");
  if (!(Number(power) >= 5)) return String(Number(value.toPrecision(2)));
  return `${digits} × 10${[...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")}`;
}

function described(say, context, release, lead) {
  const content = release.content;
  const lines = [];
  const zones = content.zones.filter((zone) => zone.lead_s === lead && zone.probability === 0.5);
  for (const zone of zones) {
    const area = Math.round(zone.area_m2 / 100) / 100;
    lines.push(`${zone.title}: ${area} ha, ${zone.people} ${say("people counted")}`);
  }
  const source = content.source;
  const since = source.began ? `, ${say("since")} ${new Date(source.began).toLocaleTimeString(context.locale, { timeZone: context.zone })}` : "";
  lines.push(`${say("Source")}: ±${source.spread_m} m, ${rounded(source.rate)} ${source.rate_unit}${since}`);
  lines.push(`${say("Wind")}: ${content.wind.speed_mps} m/s, ${content.wind.from_deg}° ± ${content.wind.error_deg}°`);
  return [...lines, ...content.advice.map(say), ...content.remarks.map(say)];
}

/** What the colours and strokes mean: name, colour, whether filled, whether broken. */
function legend(say, context) {
  const row = node("div", { class: "row" });
  const entries = [
    ["likely zone", LEVELS[1], 0.25, "solid"],
    ["possible zone", LEVELS[1], 0.05, "dashed"],
    ["source, 50 and 90 %", "accent", 0.1, "solid"],
    ["sensor above background", LEVELS[1], 0.9, "solid"],
    ["sensor as usual", "good", 0.3, "solid"],
    ["where to sample", "ink-1", 0, "dashed"],
  ];
  for (const [name, colour, opacity, stroke] of entries) {
    const swatch = node("span", { "aria-hidden": "true" });
    swatch.style.cssText = "display:inline-block;width:0.9em;height:0.9em;margin-inline-end:0.4em;vertical-align:-0.1em";
    swatch.style.border = `2px ${stroke} ${context.colour(colour)}`;
    swatch.style.background = `color-mix(in srgb, ${context.colour(colour)} ${opacity * 100}%, transparent)`;
    const entry = node("span");
    entry.style.marginInlineEnd = "1.2em";
    entry.append(swatch, say(name));
    row.append(entry);
  }
  return row;
}

export function mount(element, context) {
  const say = speaker(context.language ?? document.documentElement.lang);
  const bar = node("div", { class: "row" });
  const label = node("label", { for: "air-lead" }, say("Minutes from now"));
  const slider = node("input", { type: "range", id: "air-lead", min: "0", max: "3", step: "1", value: "0" });
  const shown = node("output", { for: "air-lead" }, "0");
  bar.append(label, slider, shown);
  const box = node("div", { role: "img", "aria-label": say("Map of the release") });
  box.style.height = "26rem";
  box.style.background = context.colour("surface-1");
  const list = node("ul", { "aria-live": "polite" });
  element.replaceChildren(bar, box, legend(say, context), list);
  let map = null;
  let layers = null;
  let release = null;
  let fitted = null;

  function draw() {
    const { L } = window;
    layers.clearLayers();
    if (!release) {
      list.replaceChildren(node("li", {}, say("No release")));
      return;
    }
    const content = release.content;
    const leads = [...new Set(content.zones.map((zone) => zone.lead_s))];
    slider.max = String(leads.length - 1);
    const lead = leads[Math.min(Number(slider.value), leads.length - 1)];
    shown.textContent = String(lead / 60);
    const levels = [...new Set(content.zones.map((zone) => zone.level))];
    for (const zone of content.zones.filter((one) => one.lead_s === lead)) {
      const colour = context.colour(LEVELS[Math.min(levels.indexOf(zone.level), 2)]);
      const likely = zone.probability >= 0.5;
      L.geoJSON(zone.geometry, {
        style: { color: colour, weight: likely ? 2 : 1, dashArray: likely ? null : "4 4", fillOpacity: likely ? 0.25 : 0.05 },
      }).addTo(layers);
    }
    L.geoJSON(content.source.regions, {
      style: { color: context.colour("accent"), weight: 2, fillOpacity: 0.1 },
    }).addTo(layers);
    L.circleMarker([content.source.latitude, content.source.longitude], {
      radius: 6, color: context.colour("accent"), fillOpacity: 1,
    }).addTo(layers);
    for (const sensor of content.sensors) {
      const above = sensor.value > 0;
      L.circleMarker([sensor.latitude, sensor.longitude], {
        radius: 5, color: context.colour(above ? "severity-severe" : "good"), fillOpacity: above ? 0.9 : 0.3,
      }).bindTooltip(node("span", {}, `${sensor.sensor}: +${Number(sensor.value.toPrecision(3))} ${content.unit}`)).addTo(layers);
    }
    for (const place of content.sampling) {
      L.circleMarker([place.latitude, place.longitude], {
        radius: 8, color: context.colour("ink-1"), weight: 2, dashArray: "2 3", fillOpacity: 0,
      }).addTo(layers);
    }
    const bearing = ((content.wind.from_deg + 180) * Math.PI) / 180;
    const from = [content.source.latitude, content.source.longitude];
    const shrink = Math.cos((from[0] * Math.PI) / 180);
    const tip = [from[0] + 0.003 * Math.cos(bearing), from[1] + (0.003 * Math.sin(bearing)) / shrink];
    L.polyline([from, tip], { color: context.colour("ink-2"), weight: 3 }).addTo(layers);
    if (fitted !== release.id) {
      fitted = release.id;
      map.fitBounds(layers.getBounds().pad(0.3), { animate: false });
    }
    list.replaceChildren(...described(say, context, release, lead).map((line) => node("li", {}, line)));
  }

  async function show() {
    const page = await context.get(`/tools/${context.tool}/results`, { kind: "hazard-zone", limit: 1 });
    release = page.items[0] ?? null;
    if (map) draw();
  }

  slider.addEventListener("input", () => map && draw());
  const stop = context.on("result", (news) => {
    if (news.kind === "hazard-zone") show();
  });
  (async () => {
    map = await context.map(box);
    layers = window.L.featureGroup().addTo(map);
    await show();
    draw();
  })();
  return stop;
}
