// A procedure drawn from its BPMN diagram as SVG: what is done, what waits, what comes. Text stays text.

import { harmless } from "./dom.js";
import { duration, role } from "./procedure_words.js";
import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 40;

function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, harmless(value));
  }
  made.append(...children);
  return made;
}

function text(content, attributes) {
  return shape("text", attributes, document.createTextNode(harmless(content)));
}

/** Lines of at most `width` characters; at most `limit` of them, the last one cut with an ellipsis. */
function wrapped(content, width, limit) {
  const lines = [""];
  for (const word of content.split(/\s+/)) {
    const last = lines[lines.length - 1];
    if (!last) lines[lines.length - 1] = word;
    else if (last.length + word.length + 1 <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  if (lines.length <= limit) return lines;
  return [...lines.slice(0, limit - 1), `${lines[limit - 1].slice(0, width - 1)}…`];
}

function lines(content, x, y, { width, limit, step = 13.5, anchor = "middle", name = "drawn-text", centred = false }) {
  const found = wrapped(content, width, limit);
  const top = centred ? y - ((found.length - 1) * step) / 2 : y;
  return found.map((one, number) => text(one, { x, y: top + number * step, class: name, "text-anchor": anchor }));
}

const MARKS = {
  task: (x, y) => shape("path", { class: "drawn-mark", d: `M${x + 6} ${y}a3 3 0 1 1-.01 0M${x} ${y + 12}c0-6 12-6 12 0` }),
  automatic: (x, y) => shape("path", { class: "drawn-mark", d: `M${x} ${y + 1}h12v8h-12zM${x + 3} ${y + 4}h6M${x + 3} ${y + 6.500}h4` }),
};

function clock(x, y, radius) {
  return shape("path", { class: "drawn-mark", d: `M${x} ${y - radius + 3}v${radius - 3}l${radius * 0.4} ${radius * 0.3}` });
}

/** Draws one procedure at a time into an element that scrolls; `step` events tell which step was chosen. */
export class ProcedureDrawing extends EventTarget {
  #host;
  #steps = new Map();
  #flows = [];
  #chosen = null;
  #moved = "";

  constructor(host) {
    super();
    this.#host = host;
    host.classList.add("drawing");
  }

  /** `procedure` as `/procedures/{id}` gives it. */
  show(procedure) {
    this.#steps = new Map();
    this.#flows = [];
    this.#moved = "";
    const xs = procedure.steps.flatMap((step) => [step.x, step.x + step.width]);
    const ys = [...procedure.steps.flatMap((step) => [step.y, step.y + step.height + 34]), ...procedure.flows.flatMap((flow) => flow.points.map((point) => point[1]))];
    const left = Math.min(...xs) - MARGIN;
    const top = Math.min(...ys) - MARGIN;
    const width = Math.max(...xs) - left + MARGIN + 30;
    const height = Math.max(...ys) - top + MARGIN;
    const svg = shape("svg", { viewBox: `${left} ${top} ${width} ${height}`, width, height, class: "drawn", role: "group", "aria-label": procedure.title });
    svg.append(shape("defs", {}, shape("marker", { id: "drawn-arrow", viewBox: "0 0 8 8", refX: 7.5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      shape("path", { d: "M0 0 8 4 0 8z", class: "drawn-arrow" }))));
    for (const flow of procedure.flows) svg.append(this.#flow(flow));
    for (const step of procedure.steps) svg.append(this.#step(step));
    this.#host.replaceChildren(svg);
    this.#host.scrollTo(0, 0);
  }

  #flow(flow) {
    const group = shape("g", { class: "drawn-flow" });
    group.append(shape("polyline", { points: flow.points.map((point) => point.join(",")).join(" "), class: "drawn-line", "marker-end": "url(#drawn-arrow)" }));
    if (flow.name) {
      // Beside the last bend, where the way is on its own.
      const turn = flow.points.length > 2 ? flow.points[2] : flow.points[0];
      group.append(text(flow.name, { x: turn[0] + 6, y: turn[1] - 6, class: "drawn-way" }));
    }
    this.#flows.push([flow, group]);
    return group;
  }

  #step(step) {
    const { x, y, width, height } = step;
    const middle = [x + width / 2, y + height / 2];
    const group = shape("g", { class: "drawn-step", "data-kind": step.kind, "data-step": step.id, role: "button", tabindex: "0", "aria-label": [step.name || step.kind, step.role ? role(step.role) : ""].filter(Boolean).join(", ") });
    group.append(shape("title", {}, document.createTextNode(harmless(step.name || step.kind))));
    if (step.kind === "task" || step.kind === "automatic") {
      group.append(shape("rect", { x, y, width, height, rx: 7, class: "drawn-box" }), MARKS[step.kind](x + 8, y + 8));
      group.append(text(step.kind === "task" ? role(step.role) : t("automatic"), { x: x + 26, y: y + 17, class: "drawn-role" }));
      if (step.deadline_s) group.append(text(duration(step.deadline_s), { x: x + width - 8, y: y + 17, class: "drawn-role drawn-due", "text-anchor": "end" }));
      group.append(...lines(step.name, middle[0], y + height / 2 + 14, { width: 23, limit: 3, centred: true }));
    } else if (step.kind === "decision" || step.kind === "parallel") {
      group.append(shape("path", { d: `M${middle[0]} ${y} ${x + width} ${middle[1]} ${middle[0]} ${y + height} ${x} ${middle[1]}z`, class: "drawn-box" }));
      const sign = step.kind === "parallel" ? `M${middle[0]} ${y + 13}v${height - 26}M${x + 13} ${middle[1]}h${width - 26}`
        : `M${x + 18} ${y + 18}l${width - 36} ${height - 36}M${x + width - 18} ${y + 18}l${36 - width} ${height - 36}`;
      group.append(shape("path", { d: sign, class: "drawn-sign" }));
      // To the left, since the ways out turn up or down on the right.
      if (step.name) group.append(...lines(step.name, x + width + 6, y + height + 13, { width: 22, limit: 2, anchor: "end", name: "drawn-text drawn-question" }));
    } else {
      const radius = width / 2;
      group.append(shape("circle", { cx: middle[0], cy: middle[1], r: radius, class: "drawn-box" }));
      if (step.kind === "timer" || step.kind === "limit") group.append(shape("circle", { cx: middle[0], cy: middle[1], r: radius - 4, class: "drawn-ring" }), clock(middle[0], middle[1], radius - 4));
      if (step.name) group.append(...(step.kind === "limit"
        ? [text(step.name, { x: x + width + 4, y: y + height + 2, class: "drawn-text drawn-question" })]
        : lines(step.name, middle[0], y + height + 15, { width: 20, limit: 2, name: "drawn-text drawn-question" })));
    }
    const choose = () => this.choose(step.id);
    group.addEventListener("click", choose);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
    });
    this.#steps.set(step.id, [step, group]);
    return group;
  }

  /** Colour the steps: passed, waiting now, late, and those that come next. Goes to what waits, once it moves on. */
  mark({ done = [], current = [], late = [] } = {}) {
    const passed = new Set(done);
    const now = new Set(current);
    const over = new Set(late);
    const next = new Set();
    for (const [flow] of this.#flows) if (now.has(flow.source) && !passed.has(flow.target) && !now.has(flow.target)) next.add(flow.target);
    const limits = new Map([...this.#steps.values()].filter(([step]) => step.attached_to).map(([step]) => [step.id, step.attached_to]));
    for (const [id, [, group]] of this.#steps) {
      group.dataset.state = over.has(id) ? "late" : now.has(id) ? "current" : passed.has(id) ? "done" : next.has(id) ? "next" : "";
      if (now.has(id)) group.setAttribute("aria-current", "step");
      else group.removeAttribute("aria-current");
    }
    for (const [flow, group] of this.#flows) {
      const from = limits.get(flow.source) ?? flow.source;
      group.dataset.state = passed.has(flow.source) && (passed.has(flow.target) || now.has(flow.target)) ? "done"
        : now.has(from) && next.has(flow.target) ? "next" : "";
    }
    const moved = current.join(" ");
    if (moved && moved !== this.#moved) this.#goTo(current[0]);
    this.#moved = moved;
  }

  /** Choose a step, as if it were clicked. */
  choose(id, { tell = true } = {}) {
    this.#chosen = id;
    for (const [other, [, group]] of this.#steps) group.classList.toggle("chosen", other === id);
    const found = this.#steps.get(id);
    if (found && tell) this.dispatchEvent(new CustomEvent("step", { detail: found[0] }));
  }

  step(id) {
    return this.#steps.get(id)?.[0] ?? null;
  }

  #goTo(id) {
    const found = this.#steps.get(id);
    if (!found) return;
    const box = found[1].getBoundingClientRect();
    const frame = this.#host.getBoundingClientRect();
    this.#host.scrollBy({ left: box.left - frame.left - frame.width * 0.35, top: box.top - frame.top - frame.height * 0.4 });
  }
}
