// The city beneath the marks: the GeoJSON base, and a city's own tiles or WMS if it has some.

import { context } from "./context.js";
import { harmless } from "./dom.js";
import { get } from "./http.js";
import { t } from "./i18n.js";
import { colour } from "./palette.js";

const { L } = window;

// What is drawn first lies lowest.
const ORDER = ["land", "district", "water", "park", "green", "square", "zone", "building", "path", "road", "rail", "bridge", "venue"];
const WIDTHS = { motorway: 7, primary: 6, major: 5.5, arterial: 5.5, secondary: 4.5, collector: 4, minor: 2.6, residential: 2.6, path: 1.2 };

function style(feature, zoom) {
  const { kind, class: rank } = feature.properties ?? {};
  const grow = 2 ** Math.max(-2, Math.min(2, zoom - 15));
  switch (kind) {
    case "water": case "sea": case "river": case "harbour":
      return { fill: true, fillColor: colour("map-water"), fillOpacity: 1, color: colour("map-water-line"), weight: feature.geometry.type === "LineString" ? 10 * grow : 1 };
    case "park": case "green": case "forest":
      return { fill: true, fillColor: colour("map-green"), fillOpacity: 1, color: "#12302a", weight: 1 };
    case "square": case "zone": case "venue": case "district":
      return { fill: true, fillColor: colour("map-square"), fillOpacity: kind === "district" ? 0.35 : 1, color: "#24344a", weight: 1, dashArray: kind === "zone" ? "4 4" : null };
    case "building": case "block":
      return { fill: true, fillColor: colour("map-building"), fillOpacity: 1, color: colour("map-building-line"), weight: 1 };
    case "road": case "street": {
      const width = WIDTHS[rank] ?? 3.2;
      return { fill: false, color: colour(width > 4 ? "map-road-major" : "map-road"), weight: Math.max(1, width * grow), lineCap: "round", lineJoin: "round" };
    }
    case "path":
      return { fill: false, color: colour("map-road"), weight: Math.max(0.8, 1.2 * grow) };
    case "rail": case "tram":
      return { fill: false, color: colour("map-rail"), weight: Math.max(1, 2 * grow), dashArray: "6 5" };
    case "bridge":
      return { fill: feature.geometry.type === "Polygon", fillColor: "#2a394d", fillOpacity: 1, color: "#34465d", weight: Math.max(1, 4 * grow) };
    default:
      return { fill: feature.geometry.type.endsWith("Polygon"), fillColor: colour("map-square"), fillOpacity: 0.6, color: colour("map-road"), weight: 1 };
  }
}

const NAMED = new Set(["water", "park", "square", "district", "venue", "harbour", "green", "place"]);

function names(features, map) {
  const group = L.layerGroup();
  for (const feature of features) {
    const { kind, name } = feature.properties ?? {};
    if (!name || !NAMED.has(kind)) continue;
    const text = document.createElement("span");
    text.textContent = harmless(name);
    const at = feature.geometry.type === "Point" ? L.GeoJSON.coordsToLatLng(feature.geometry.coordinates)
      : L.geoJSON(feature).getBounds().getCenter();
    L.tooltip({ permanent: true, direction: "center", className: "place-name", interactive: false, opacity: 1 })
      .setLatLng(at).setContent(text).addTo(group);
  }
  const show = () => (map.getZoom() >= 14 ? group.addTo(map) : group.remove());
  map.on("zoomend", show);
  show();
}

function ownLayers(map, settings) {
  const attribution = document.createElement("span");
  attribution.textContent = harmless(settings.attribution ?? "");
  const shared = { attribution: attribution.innerHTML, maxZoom: 20 };
  if (settings.wms) {
    L.tileLayer.wms(settings.wms, { ...shared, layers: settings.wms_layers || "", format: "image/png", transparent: true }).addTo(map);
    return t("city WMS");
  }
  if (settings.tiles) {
    L.tileLayer(settings.tiles, shared).addTo(map);
    return t("city tiles");
  }
  return "";
}

/** The map of the city in a frame; `described` is told in words what lies beneath. */
export async function cityMap(place, described = () => {}) {
  const settings = context.map ?? {};
  const centre = settings.centre ?? [settings.longitude ?? 0, settings.latitude ?? 0];
  const map = L.map(place, {
    center: [centre[1], centre[0]], zoom: settings.zoom ?? 13, zoomControl: false, attributionControl: false,
    preferCanvas: true, zoomSnap: 0.5, wheelPxPerZoomLevel: 90, minZoom: 3, maxZoom: 20,
    fadeAnimation: false, zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  });
  L.control.zoom({ position: "topright", zoomInTitle: t("Zoom in"), zoomOutTitle: t("Zoom out") }).addTo(map);
  L.control.scale({ position: "bottomleft", imperial: false, maxWidth: 120 }).addTo(map);
  if (settings.attribution) L.control.attribution({ prefix: false }).addTo(map);
  const own = ownLayers(map, settings);
  try {
    const base = await get("/map/base");
    const features = (base.features ?? []).filter((feature) => feature.geometry && feature.geometry.type !== "Point");
    features.sort((a, b) => ORDER.indexOf(a.properties?.kind) - ORDER.indexOf(b.properties?.kind));
    if (features.length && !own) {
      const pane = map.createPane("base");
      pane.style.zIndex = 150;
      const layer = L.geoJSON(features, {
        pane: "base", interactive: false, renderer: L.canvas({ pane: "base", padding: 0.4 }),
        style: (feature) => style(feature, map.getZoom()),
      }).addTo(map);
      map.on("zoomend", () => layer.setStyle((feature) => style(feature, map.getZoom())));
    }
    if (!own) names(base.features ?? [], map);
    described(own || (features.length ? t("offline base map") : t("no base map")));
  } catch {
    described(own || t("no base map"));
  }
  return map;
}
