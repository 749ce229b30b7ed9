// The city beneath the marks: the GeoJSON base, and a city's own tiles or WMS if it has some.

import { context } from "./context.js";
import { harmless } from "./dom.js";
import { get } from "./http.js";
import { t } from "./i18n.js";
import { colour } from "./palette.js";

const { L } = window;

// What is drawn first lies lowest.
const ORDER = ["district", "water", "park", "block", "square", "building", "path", "road-minor", "road-major", "rail"];
const METRES_A_PIXEL_AT_0 = 156_543;

/** How a feature looks; `kind` says what it is, `width_m` how wide a road is. A kind of its own is drawn as plain ground. */
function style(feature, zoom, latitude) {
  const { kind, width_m: width = 8 } = feature.properties ?? {};
  const pixels = (metres) => (metres * 2 ** zoom) / (METRES_A_PIXEL_AT_0 * Math.cos((latitude * Math.PI) / 180));
  const line = (tone, weight, more = {}) => ({ fill: false, color: colour(tone), weight, lineCap: "round", lineJoin: "round", ...more });
  const area = (tone, edge) => ({ fill: true, fillColor: colour(tone), fillOpacity: 1, color: colour(edge), weight: 1 });
  switch (kind) {
    case "water": return area("map-water", "map-water-line");
    case "park": return area("map-green", "map-green-line");
    case "block": return area("map-block", "map-block-line");
    case "building": return area("map-building", "map-building-line");
    case "square": return area("map-square", "map-square-line");
    case "road": case "road-major": return line("map-road-major", Math.max(1.6, pixels(width) * 0.62));
    case "road-minor": return line("map-road", Math.max(0.7, pixels(5)));
    case "path": return line("map-road", Math.max(0.6, pixels(2)));
    case "rail": return line("map-rail", Math.max(1, pixels(4)), { dashArray: "7 5", lineCap: "butt" });
    default: return feature.geometry.type.endsWith("Polygon") ? area("map-square", "map-square-line") : line("map-road", 1);
  }
}

// Leaflet draws a canvas again after every move. The city does not change: what was drawn beyond the edges serves until
// the map was moved past it.
const CalmCanvas = L.Canvas.extend({
  _update() {
    const map = this._map;
    const corner = map.containerPointToLayerPoint([0, 0]);
    const seen = L.bounds(corner, corner.add(map.getSize()));
    if (this._bounds && this._zoom === map.getZoom() && this._bounds.contains(seen)) return;
    L.Canvas.prototype._update.call(this);
  },
  _reset() {
    this._bounds = null;
    L.Canvas.prototype._reset.call(this);
  },
});

const NAMED = new Set(["water", "park", "square", "district"]);

function names(features, map) {
  const group = L.layerGroup();
  for (const feature of features) {
    const { kind, name } = feature.properties ?? {};
    if (!name || !NAMED.has(kind)) continue;
    const text = document.createElement("span");
    text.textContent = harmless(name);
    const at = feature.geometry.type === "Point" ? L.GeoJSON.coordsToLatLng(feature.geometry.coordinates)
      : L.geoJSON(feature).getBounds().getCenter();
    L.tooltip({ permanent: true, direction: "center", className: `place-name ${kind}`, interactive: false, opacity: 1 })
      .setLatLng(at).setContent(text).addTo(group);
  }
  // Districts are named from afar, squares and parks from near.
  const show = () => {
    const zoom = map.getZoom();
    if (zoom >= 13) group.addTo(map); else group.remove();
    map.getContainer().classList.toggle("near", zoom >= 15.5);
  };
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
        pane: "base", interactive: false, renderer: new CalmCanvas({ pane: "base", padding: 0.4 }),
        style: (feature) => style(feature, map.getZoom(), centre[1]),
      }).addTo(map);
      map.on("zoomend", () => layer.setStyle((feature) => style(feature, map.getZoom(), centre[1])));
    }
    if (!own) names(base.features ?? [], map);
    described(own || (features.length ? t("offline base map") : t("no base map")));
  } catch {
    described(own || t("no base map"));
  }
  return map;
}
