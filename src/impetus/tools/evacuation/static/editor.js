// Draws and changes a venue: polygons and lines by clicking, corners by dragging, widths in a field; every step can be undone.

import { lines, plane } from "./crowd.js";

const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["walkable", "obstacle", "exit", "gate", "zone", "responder_entry", "sensor"];
const LINES = new Set(["exit", "gate"]);
const POINTS = new Set(["responder_entry", "sensor"]);
const COLOURS = { walkable: "surface-3", obstacle: "line-3", exit: "good", gate: "severity-moderate", zone: "accent", responder_entry: "severity-severe", sensor: "ink-2" };

function make(space, name, attributes = {}) {
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function mount(element, context) {
  const t = context.t;
  const field = (title, input) => { const label = make(null, "label"); label.append(`${title} `, input); return label; };
  const open = make(null, "select", { "aria-label": t("Venue") });
  const name = make(null, "input", { maxlength: "100" });
  const kind = make(null, "select");
  for (const one of KINDS) { const option = make(null, "option", { value: one }); option.textContent = one; kind.append(option); }
  const featureName = make(null, "input", { maxlength: "60" });
  const width = make(null, "input", { type: "number", min: "0.4", max: "200", step: "0.1" });
  const isOpen = make(null, "input", { type: "checkbox", checked: "" });
  const capacity = make(null, "input", { type: "number", min: "0", max: "1000000", step: "1" });
  const button = (text, action, key) => { const one = make(null, "button", { type: "button", class: "button", ...(key ? { "aria-keyshortcuts": key } : {}) }); one.textContent = key ? `${text} (${key})` : text; one.addEventListener("click", action); return one; };
  const bar = make(null, "div");
  const details = make(null, "div");
  for (const one of [bar, details]) one.style.cssText = "display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .4rem 0";
  const drawing = make(SVG, "svg", { role: "application", "aria-label": t("Drawing of the venue"), tabindex: "0" });
  drawing.style.cssText = `width: 100%; height: 26rem; touch-action: none; background: ${context.colour("surface-1")}`;
  const said = make(null, "p", { role: "status", "aria-live": "polite" });
  bar.append(open, field(t("Name"), name), button(t("Undo"), undo, "u"), button(t("Redo"), redo, "y"), button(t("Delete"), remove, "Delete"), button(t("Save"), save));
  details.append(field(t("Kind"), kind), button(t("Draw"), begin, "d"), button(t("Finish"), finish, "Enter"), field(t("Name"), featureName), field(t("Width in m"), width), field(t("Open"), isOpen), field(t("Capacity"), capacity));
  element.replaceChildren(bar, details, drawing, said);

  let venue = { type: "FeatureCollection", id: "drawn", name: "", features: [] };
  let flat = plane(12.9, 44.9);
  let view = [-80, -60, 160, 120];
  let past = [];
  let future = [];
  let selected = -1;
  let draft = null;
  let drag = null;
  let known = [];
  let untouched = true;

  const keep = () => { past.push(JSON.stringify(venue)); if (past.length > 100) past.shift(); future = []; };
  function undo() { if (draft) { draft.pop(); if (!draft.length) draft = null; } else if (past.length) { future.push(JSON.stringify(venue)); venue = JSON.parse(past.pop()); selected = -1; } fill(); draw(); }
  function redo() { if (future.length) { past.push(JSON.stringify(venue)); venue = JSON.parse(future.pop()); selected = -1; fill(); draw(); } }
  function remove() { if (selected >= 0) { keep(); venue.features.splice(selected, 1); selected = -1; fill(); draw(); } }
  function begin() { draft = []; selected = -1; said.textContent = t("Click each corner; Enter ends the shape."); draw(); }

  function finish() {
    if (!draft) return;
    const wanted = kind.value;
    const least = POINTS.has(wanted) ? 1 : LINES.has(wanted) ? 2 : 3;
    if (draft.length < least) { said.textContent = t("The shape has too few corners."); return; }
    keep();
    const at = draft.map(flat.degrees);
    const geometry = POINTS.has(wanted) ? { type: "Point", coordinates: at[0] }
      : LINES.has(wanted) ? { type: "LineString", coordinates: at }
        : { type: "Polygon", coordinates: [[...at, at[0]]] };
    const ids = new Set(venue.features.map((feature) => feature.id));
    let index = venue.features.length + 1;
    while (ids.has(`${wanted}-${index}`)) index += 1;
    venue.features.push({ type: "Feature", id: `${wanted}-${index}`, geometry, properties: { kind: wanted, name: `${wanted} ${index}` } });
    selected = venue.features.length - 1;
    draft = null;
    said.textContent = "";
    fill();
    draw();
  }

  function settle() {
    const one = venue.features[selected];
    if (!one) return;
    keep();
    const set = (key, value) => { if (value === null) delete one.properties[key]; else one.properties[key] = value; };
    set("name", featureName.value || one.id);
    set("width_m", width.value ? Number(width.value) : null);
    set("capacity", capacity.value ? Number(capacity.value) : null);
    set("open", isOpen.checked ? null : false);
    draw();
  }
  for (const input of [featureName, width, isOpen, capacity]) input.addEventListener("change", settle);

  const corners = (feature) => (feature.geometry.type === "Polygon" ? feature.geometry.coordinates[0] : feature.geometry.type === "LineString" ? feature.geometry.coordinates : feature.geometry.type === "Point" ? [feature.geometry.coordinates] : []);

  function draw() {
    drawing.replaceChildren();
    const [x, y, w, h] = view;
    drawing.setAttribute("viewBox", `${x} ${-(y + h)} ${w} ${h}`);
    const unit = w / 200;
    const order = (feature) => KINDS.indexOf(feature.properties.kind);
    const listed = venue.features.map((feature, index) => [feature, index]).sort((a, b) => order(a[0]) - order(b[0]));
    for (const [feature, index] of listed) {
      const shape = feature.properties.kind;
      const rings = lines(feature.geometry, flat);
      const closed = feature.geometry.type.endsWith("Polygon");
      const points = feature.geometry.type === "Point";
      const path = points ? make(SVG, "circle", { cx: rings[0][0][0], cy: -rings[0][0][1], r: 2 * unit })
        : make(SVG, "path", { d: rings.map((ring) => `M${ring.map(([a, b]) => `${a},${-b}`).join("L")}${closed ? "Z" : ""}`).join("") });
      path.setAttribute("fill", closed || points ? context.colour(COLOURS[shape] ?? "ink-2") : "none");
      path.setAttribute("fill-rule", "evenodd");
      path.setAttribute("fill-opacity", shape === "zone" ? "0.15" : "0.8");
      path.setAttribute("stroke", context.colour(index === selected ? "accent" : COLOURS[shape] ?? "ink-2"));
      path.setAttribute("stroke-width", String((LINES.has(shape) ? 3 : 1) * unit * (index === selected ? 1.6 : 1)));
      path.addEventListener("pointerdown", (event) => { if (!draft) { event.stopPropagation(); selected = index; fill(); draw(); } });
      const title = make(SVG, "title");
      title.textContent = `${shape}: ${feature.properties.name ?? feature.id}`;
      path.append(title);
      drawing.append(path);
    }
    const one = venue.features[selected];
    if (one) {
      corners(one).forEach((corner, index, all) => {
        if (one.geometry.type === "Polygon" && index === all.length - 1) return;
        const [cx, cy] = flat.metres(corner);
        const handle = make(SVG, "circle", { cx, cy: -cy, r: 1.6 * unit, fill: context.colour("ink-1") });
        handle.addEventListener("pointerdown", (event) => { event.stopPropagation(); drag = { index, kept: false }; drawing.setPointerCapture(event.pointerId); });
        drawing.append(handle);
      });
    }
    if (draft?.length) drawing.append(make(SVG, "path", { d: `M${draft.map(([a, b]) => `${a},${-b}`).join("L")}`, fill: "none", stroke: context.colour("accent"), "stroke-width": unit }));
  }

  function fill() {
    const one = venue.features[selected];
    featureName.value = one?.properties.name ?? "";
    width.value = one?.properties.width_m ?? "";
    capacity.value = one?.properties.capacity ?? "";
    isOpen.checked = one?.properties.open !== false;
    if (one) kind.value = one.properties.kind;
    for (const input of [featureName, width, isOpen, capacity]) input.disabled = !one;
  }

  function place(event) {
    const matrix = drawing.getScreenCTM().inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return [Math.round(at.x * 10) / 10, Math.round(-at.y * 10) / 10];
  }

  drawing.addEventListener("pointerdown", (event) => {
    drawing.focus();
    if (draft) { draft.push(place(event)); draw(); } else { drag = { from: place(event), view: [...view] }; drawing.setPointerCapture(event.pointerId); }
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const at = place(event);
    if (drag.index === undefined) { view = [view[0] + drag.from[0] - at[0], view[1] + drag.from[1] - at[1], view[2], view[3]]; draw(); return; }
    if (!drag.kept) { keep(); drag.kept = true; }
    const one = venue.features[selected];
    const all = corners(one);
    all[drag.index] = flat.degrees(at);
    if (one.geometry.type === "Polygon" && drag.index === 0) all[all.length - 1] = all[0];
    if (one.geometry.type === "Point") one.geometry.coordinates = all[0];
    draw();
  });
  drawing.addEventListener("pointerup", () => { drag = null; });
  drawing.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [cx, cy] = place(event);
    const by = event.deltaY > 0 ? 1.15 : 1 / 1.15;
    view = [cx - (cx - view[0]) * by, cy - (cy - view[1]) * by, view[2] * by, view[3] * by];
    draw();
  }, { passive: false });
  drawing.addEventListener("keydown", (event) => {
    const jobs = { u: undo, y: redo, d: begin, Enter: finish, Delete: remove };
    if (!event.ctrlKey && jobs[event.key]) { event.preventDefault(); event.stopPropagation(); jobs[event.key](); }
  });

  function take(next) {
    untouched = false;
    venue = JSON.parse(JSON.stringify(next));
    name.value = venue.name ?? "";
    const all = venue.features.flatMap((feature) => lines(feature.geometry, { metres: (at) => at }).flat());
    if (all.length) {
      const lon = all.map((at) => at[0]);
      const lat = all.map((at) => at[1]);
      flat = plane((Math.min(...lon) + Math.max(...lon)) / 2, (Math.min(...lat) + Math.max(...lat)) / 2);
      const [right, top] = flat.metres([Math.max(...lon), Math.max(...lat)]);
      view = [-1.15 * right - 5, -1.15 * top - 5, 2.3 * right + 10, 2.3 * top + 10];
    }
    past = []; future = []; selected = -1; draft = null;
    fill();
    draw();
  }

  async function save() {
    venue.name = name.value || t("Drawn venue");
    venue.id = venue.name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "drawn";
    said.textContent = t("Working ...");
    try {
      const done = await context.ask("save-venue", { venue: { ...venue, coordinates_checked: true } });
      said.textContent = done.text || t("The tool did not say why it failed.");
      if (done.state === "done") await list(venue.id);
    } catch (problem) {
      said.textContent = problem.message;
    }
  }

  /** The venues to open; one of them is shown as open. */
  async function list(id = null) {
    const page = await context.get(`/tools/${context.tool}/results`, { kind: "venue", limit: 100 });
    known = page.items.map((item) => item.content.venue).filter(Boolean);
    open.replaceChildren(...[["", t("New venue")], ...known.map((one, index) => [String(index), one.name])].map(([value, text]) => { const option = make(null, "option", { value }); option.textContent = text; return option; }));
    const chosen = known.findIndex((one) => one.id === id);
    open.value = chosen < 0 ? "" : String(chosen);
  }
  open.addEventListener("change", () => take(open.value === "" ? { type: "FeatureCollection", id: "drawn", name: "", features: [] } : known[Number(open.value)]));
  // Venues may come after the page: the first is opened as long as nobody has opened or drawn one.
  async function refresh() {
    await list(venue.id);
    if (known.length && !venue.features.length && !past.length && !draft && untouched) { open.value = "0"; take(known[0]); }
  }
  const stop = context.on("result", (news) => { if (news.kind === "venue") refresh(); });
  fill();
  draw();
  refresh();
  return stop;
}
