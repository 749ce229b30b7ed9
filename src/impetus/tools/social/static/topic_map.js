// Topics on a map of meaning: near ones speak of similar things. A point is an event, larger with more posts.

import { trend } from "./named.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 340;
const EDGE = 34;
const COLOURS = {
  incitement: "severity-severe", weapon: "severity-severe", claim: "severity-severe",
  eyewitness: "severity-moderate", rumour: "severity-moderate", gathering: "accent", none: "ink-3",
};

function shape(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

export function mount(element, context) {
  const t = context.t;
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  const box = document.createElement("div");
  element.replaceChildren(note, box);
  let topics = [];
  let gone = false;

  async function load() {
    try {
      const found = await context.get(`/tools/${context.tool}/results`, { kind: "topics", limit: 1 });
      topics = (found.items[0]?.content.events ?? []).filter((one) => one.x !== null && one.y !== null);
    } catch (error) {
      note.textContent = error.message;
      return;
    }
    if (!gone) draw();
  }

  function draw() {
    note.textContent = topics.length ? "" : t("No topic yet");
    if (!topics.length) {
      box.replaceChildren();
      return;
    }
    const width = Math.max(480, element.clientWidth - 24);
    // Examples have deviation 1: three of them hold nearly all, and the frame grows for what lies beyond.
    const reach = Math.max(3, ...topics.flatMap((one) => [Math.abs(one.x), Math.abs(one.y)]));
    const right = (x) => width / 2 + (x / reach) * (width / 2 - EDGE);
    const up = (y) => HEIGHT / 2 - (y / reach) * (HEIGHT / 2 - EDGE);
    const image = shape("svg", {
      width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "list", "aria-label": t("Map of topics"),
    });
    for (const [x1, y1, x2, y2] of [[width / 2, 6, width / 2, HEIGHT - 6], [6, HEIGHT / 2, width - 6, HEIGHT / 2]]) {
      image.append(shape("line", { x1, y1, x2, y2, stroke: context.colour("line-1") }));
    }
    const taken = [];
    for (const topic of [...topics].sort((a, b) => b.size - a.size)) {
      const words = `${topic.title}, ${trend(t, topic.trend)}, ${t("Posts")}: ${topic.posts}`;
      const group = shape("g", { role: "listitem", tabindex: 0, "aria-label": words });
      const [x, y, radius] = [right(topic.x), up(topic.y), Math.min(26, 3 + 1.6 * Math.sqrt(topic.size))];
      const colour = context.colour(COLOURS[topic.kind] ?? "ink-3");
      group.append(
        shape("title", {}, words),
        shape("circle", { cx: x, cy: y, r: radius, fill: colour, "fill-opacity": 0.35, stroke: colour }),
      );
      // A name that would lie on another is left to the pointer and the screen reader.
      const left = x > width * 0.6;
      if (!taken.some((one) => Math.abs(one.y - y) < 13 && Math.abs(one.x - x) < 190)) {
        taken.push({ x, y });
        group.append(
          shape("text", {
            x: left ? x - radius - 4 : x + radius + 4, y: y + 4, "font-size": 11, fill: context.colour("ink-2"),
            "text-anchor": left ? "end" : "start",
          }, topic.title.length > 40 ? `${topic.title.slice(0, 39)}…` : topic.title),
        );
      }
      image.append(group);
    }
    box.replaceChildren(image);
  }

  const watched = new ResizeObserver(() => topics.length && draw());
  watched.observe(element);
  const stop = context.on("result", (news) => {
    if (news.tool === context.tool && news.kind === "topics") load();
  });
  load();
  return () => {
    gone = true;
    watched.disconnect();
    stop();
  };
}
