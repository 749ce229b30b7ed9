// The attack graph: a lane a zone, hosts in it, critical ones to the right; what is not drawn is counted.

const LANE = 46;
const FOLDED = 22;
const MANY = 12;
const LEFT = 190;
const SVG = "http://www.w3.org/2000/svg";

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

export function mount(element, context) {
  const box = document.createElement("div");
  box.style.maxHeight = "36rem";
  box.style.overflow = "auto";
  const note = document.createElement("p");
  element.replaceChildren(note, box);
  let graph = null;
  const turned = new Set(); // zones that the reader folded or unfolded

  function draw(focused = null) {
    if (!graph) {
      note.textContent = context.t("No model of the network");
      box.replaceChildren();
      return;
    }
    const width = Math.max(720, element.clientWidth - 24);
    // Where there are many zones, those without a path or an intruder are folded to a line; a click turns one.
    const busy = new Set(graph.nodes.filter((one) => one.path || one.compromised).map((one) => one.zone));
    const folded = graph.zones.map((zone) => (graph.zones.length > MANY && !busy.has(zone.name) && !zone.attacker) !== turned.has(zone.name));
    const tops = [];
    let height = 4;
    for (const small of folded) { tops.push(height); height += small ? FOLDED : LANE; }
    height += 4;
    const image = node("svg", {
      width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": context.t("Attack graph"),
    });
    const places = new Map();
    const bands = new Map();
    const lane = new Map(graph.zones.map((zone, index) => [zone.name, index]));
    graph.zones.forEach((zone, index) => {
      const top = tops[index];
      const turn = () => { if (!turned.delete(zone.name)) turned.add(zone.name); draw(zone.name); };
      const band = node("rect", {
        x: 0, y: top, width, height: (folded[index] ? FOLDED : LANE) - 4, rx: 4, fill: context.colour("surface-2"), stroke: context.colour("line-2"),
        role: "button", tabindex: 0, "aria-label": zone.name, "aria-expanded": String(!folded[index]), cursor: "pointer",
      });
      band.addEventListener("click", turn);
      band.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        turn();
      });
      bands.set(zone.name, band);
      image.append(band);
      const words = `${zone.hosts} ${context.t("hosts")} · ${zone.expected} ${context.t("expected lost")}`;
      const text = { fill: context.colour("ink-1"), "font-size": folded[index] ? 11 : 13, "pointer-events": "none" };
      image.append(node("text", { ...text, x: 10, y: top + (folded[index] ? 13 : 18) }, zone.name));
      const place = folded[index] ? { x: LEFT + 14, y: top + 13 } : { x: 10, y: top + 34 };
      image.append(node("text", { ...text, ...place, fill: context.colour("ink-2"), "font-size": 11 }, words));
      if (zone.attacker) places.set("attacker", [LEFT - 16, top + LANE / 2 - 2]);
    });
    for (const critical of [false, true]) {
      const filled = new Map();
      for (const host of graph.nodes.filter((one) => one.value > 0 === critical)) {
        const index = lane.get(host.zone);
        if (index === undefined || folded[index]) continue;
        const count = filled.get(index) ?? 0;
        const half = LEFT + (width - LEFT) * 0.6;
        const step = critical ? 26 : 18;
        const x = (critical ? half : LEFT) + 14 + count * step;
        if (x > (critical ? width : half) - 14) continue;
        filled.set(index, count + 1);
        places.set(host.id, [x, tops[index] + LANE / 2 - 2]);
      }
    }
    for (const edge of graph.edges) {
      const from = places.get(edge.source);
      const to = places.get(edge.target);
      if (!from || !to) continue;
      const middle = (from[0] + to[0]) / 2;
      image.append(node("path", {
        d: `M${from[0]},${from[1]} C${middle},${from[1]} ${middle},${to[1]} ${to[0]},${to[1]}`,
        fill: "none", stroke: context.colour("accent"), "stroke-width": 1 + 2 * edge.probability, opacity: 0.7,
      }));
    }
    let drawn = 0;
    for (const host of graph.nodes) {
      const place = places.get(host.id);
      if (!place) continue;
      drawn += 1;
      const [x, y] = place;
      const colour = host.compromised ? "severity-extreme" : host.path ? "accent" : host.likelihood > 0.5 ? "severity-severe" : "good";
      const mark = host.value > 0
        ? node("rect", { x: x - 8, y: y - 8, width: 16, height: 16, rx: 2 })
        : node("circle", { cx: x, cy: y, r: 6 });
      mark.setAttribute("fill", context.colour(colour));
      mark.setAttribute("fill-opacity", String(0.25 + 0.75 * host.likelihood));
      mark.setAttribute("stroke", context.colour(colour));
      mark.setAttribute("stroke-width", host.compromised ? 3 : 1.5);
      const state = host.compromised ? `, ${context.t("compromised")}` : "";
      mark.append(node("title", {}, `${host.id}: ${Math.round(host.likelihood * 100)} %${state}`));
      image.append(mark);
    }
    const scrolled = box.scrollTop;
    box.replaceChildren(image);
    box.scrollTop = scrolled;
    bands.get(focused)?.focus({ preventScroll: true });
    note.textContent = `${graph.hosts} ${context.t("hosts")}, ${graph.worlds} ${context.t("worlds")}. `
      + `${drawn} ${context.t("drawn by name, the others counted in their zone.")}`;
  }

  async function show() {
    const page = await context.get(`/tools/${context.tool}/results`, { kind: "attack-graph", limit: 1 });
    graph = page.items[0]?.content ?? null;
    draw();
  }

  const watching = new ResizeObserver(() => graph && draw());
  watching.observe(element);
  const stop = context.on("result", (news) => {
    if (news.kind === "attack-graph") show();
  });
  show();
  return () => {
    watching.disconnect();
    stop();
  };
}
