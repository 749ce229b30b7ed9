// Zones and calibration of one camera: click a polygon, or four points in the picture and the same four on the map.

import { follow, node, overlay, picture, polygon, styled } from "./shared.js";

const MODES = { watched: "Area that is watched", hidden: "Area that is never looked at", points: "Four points" };

export function mount(element, context) {
  const t = context.t;
  const { state, body } = styled(element, context, "firearm-editor");
  const bar = node("div", "firearm-bar");
  const choice = node("select");
  choice.setAttribute("aria-label", t("Camera"));
  const mode = node("select");
  mode.setAttribute("aria-label", t("What to draw"));
  for (const [value, words] of Object.entries(MODES)) {
    const option = node("option", "", t(words));
    option.value = value;
    mode.append(option);
  }
  const take = button("Take the area", () => takeArea());
  const undo = button("Undo", () => {
    if (mode.value === "points" && places.length >= points.length) places.pop();
    else points.pop();
    draw();
  });
  const clear = button("Remove all areas", () => {
    zones = { watched: [], hidden: [] };
    draw();
  });
  const save = button("Save", () => store(), "primary");
  bar.append(choice, mode, take, undo, clear, save);
  const stage = node("div", "firearm-stage");
  const ground = node("div", "firearm-map");
  const hint = node("p", "firearm-words");
  body.append(bar, hint, stage, ground);

  let cameras = [];
  let camera = null;
  let zones = { watched: [], hidden: [] };
  let points = [];
  let places = [];
  let map = null;
  let marks = [];

  function button(words, act, name = "") {
    const made = node("button", name, t(words));
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  function loaded(items) {
    cameras = items.map((item) => ({ title: item.title, ...item.content }));
    if (choice.options.length !== cameras.length) {
      choice.replaceChildren(
        ...cameras.map((each) => {
          const option = node("option", "", each.title);
          option.value = each.camera;
          return option;
        }),
      );
    }
    if (!camera) pick();
  }

  function pick() {
    camera = cameras.find((each) => each.camera === choice.value) ?? cameras[0] ?? null;
    zones = camera ? structuredClone(camera.zones) : { watched: [], hidden: [] };
    points = mode.value === "points" && camera ? camera.calibration.picture.map((each) => [...each]) : [];
    places = mode.value === "points" && camera ? camera.calibration.map.map((each) => [...each]) : [];
    draw();
  }

  function draw() {
    if (!camera) {
      state.textContent = t("No camera is analysed: none is set, or the model is not approved");
      return;
    }
    const lines = overlay();
    for (const area of zones.watched) polygon(lines, area, "firearm-watched");
    for (const area of zones.hidden) polygon(lines, area, "firearm-hidden");
    if (points.length > 1) polygon(lines, points, "firearm-drawing");
    const shown = picture(camera.picture, t("Masked picture of {camera}", { camera: camera.title }));
    const dots = points.map(([x, y], number) => {
      const dot = node("span", "firearm-dot", String(number + 1));
      dot.style.setProperty("left", `${100 * x}%`);
      dot.style.setProperty("top", `${100 * y}%`);
      return dot;
    });
    stage.replaceChildren(shown, lines, ...dots);
    const calibrating = mode.value === "points";
    ground.hidden = !calibrating;
    take.hidden = calibrating;
    clear.hidden = calibrating;
    hint.textContent = calibrating
      ? t("Click four points on the ground in the picture, and the same four on the map in the same order: {count} of 8", { count: points.length + places.length })
      : t("Click the corners of an area in the picture, then take it.");
    if (calibrating) showMap();
  }

  async function showMap() {
    if (!map) {
      map = await context.map(ground);
      map.on("click", (event) => {
        if (places.length < 4) places.push([event.latlng.lng, event.latlng.lat]);
        draw();
      });
    }
    const leaflet = await context.library("leaflet");
    const L = leaflet ?? window.L;
    marks.forEach((mark) => mark.remove());
    marks = places.map(([longitude, latitude], number) =>
      L.circleMarker([latitude, longitude], { radius: 8, color: context.colour("accent") })
        .bindTooltip(String(number + 1), { permanent: true, direction: "center" })
        .addTo(map),
    );
  }

  stage.addEventListener("click", (event) => {
    const area = stage.getBoundingClientRect();
    const limit = mode.value === "points" ? 4 : 50;
    if (points.length < limit) {
      points.push([(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height].map((each) => Math.min(1, Math.max(0, each))));
    }
    draw();
  });

  function takeArea() {
    if (points.length < 3) {
      state.textContent = t("An area has three corners or more");
      return;
    }
    zones[mode.value].push(points);
    points = [];
    draw();
  }

  async function store() {
    try {
      const said =
        mode.value === "points"
          ? await context.ask("calibrate", { id: camera.camera, picture: points, map: places })
          : await context.ask("zones", { id: camera.camera, zones });
      state.textContent = typeof said === "string" ? said : (said?.text ?? t("Saved"));
    } catch (error) {
      state.textContent = error.message;
    }
  }

  choice.addEventListener("change", pick);
  mode.addEventListener("change", pick);
  const following = follow(context, "camera", 200, state, loaded);
  return following.stop;
}
