// Arranging panels on the grid: by pointer, by buttons and by keyboard. What the grid holds is what will be saved.

import { element, find, icon, setText } from "../dom.js";
import { t } from "../i18n.js";
import { toast } from "../toast.js";
import { fetched, panelsOf } from "./panels.js";

const WIDTH = [2, 12];
const HEIGHT = [2, 24];
const MOST = 24;
const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export class Arranger extends EventTarget {
  #grid;
  #kinds;
  #schematic;
  #active = false;

  /** `kinds` are the panels that can be added, by id. Event `added` tells of a new panel's element. */
  constructor(grid, kinds, { schematic = false } = {}) {
    super();
    this.#grid = grid;
    this.#kinds = kinds;
    this.#schematic = schematic;
    grid.addEventListener("keydown", (event) => this.#key(event));
    grid.addEventListener("pointerdown", (event) => this.#press(event));
    find("#dash-add").addEventListener("change", (event) => {
      const { value } = event.target;
      event.target.value = "";
      if (value) this.add(value);
    });
  }

  get active() {
    return this.#active;
  }

  /** Begin or end arranging. */
  set active(wanted) {
    this.#active = wanted;
    this.#grid.classList.toggle("arranging", wanted);
    for (const panel of panelsOf(this.#grid)) if (wanted) this.#equip(panel); else this.#strip(panel);
  }

  /** The arrangement as the interface takes it. */
  placements() {
    return panelsOf(this.#grid).map((panel) => ({
      id: panel.dataset.placement, panel: panel.dataset.panel,
      width: Number(panel.dataset.width), height: Number(panel.dataset.height),
      ...(panel.dataset.datastream ? { datastream: panel.dataset.datastream } : {}),
      ...(panel.dataset.hours ? { hours: Number(panel.dataset.hours) } : {}),
    }));
  }

  async add(id) {
    const kind = this.#kinds.get(id);
    const here = panelsOf(this.#grid);
    const same = here.filter((panel) => panel.dataset.panel === id);
    if (same.length && !kind.several) {
      toast("warn", t("This panel is on the dashboard already."));
      same[0].focus();
      return;
    }
    if (here.length >= MOST) { toast("warn", t("A dashboard holds at most {n} panels.", { n: MOST })); return; }
    const taken = new Set(here.map((panel) => panel.dataset.placement));
    const base = id.replace(":", "-").slice(0, 58);
    let name = base;
    for (let n = 2; taken.has(name); n += 1) name = `${base}-${n}`;
    try {
      const panel = await fetched({ id: name, panel: id, width: kind.width, height: kind.height }, { schematic: this.#schematic });
      this.#grid.append(panel);
      this.#equip(panel);
      panel.scrollIntoView({ block: "nearest" });
      panel.focus();
      this.#changed(t("Added: {panel}", { panel: panel.ariaLabel }));
      this.dispatchEvent(new CustomEvent("added", { detail: panel }));
    } catch (problem) {
      toast("bad", problem.message);
    }
  }

  #equip(panel) {
    panel.tabIndex = 0;
    find(".dash-content", panel).inert = true;
    const button = (label, text, act) => element("button", { type: "button", "aria-label": `${label}: ${panel.ariaLabel}`, title: label, tabindex: "-1", onclick: act }, text);
    const tools = element("div", { class: "dash-tools", role: "group" },
      button(t("Earlier"), "←", () => this.#move(panel, -1)), button(t("Later"), "→", () => this.#move(panel, 1)),
      element("span", { class: "size", "data-size": true }),
      button(t("Narrower"), "−", () => this.#resize(panel, -1, 0)), button(t("Wider"), "+", () => this.#resize(panel, 1, 0)),
      button(t("Lower"), "▴", () => this.#resize(panel, 0, -1)), button(t("Higher"), "▾", () => this.#resize(panel, 0, 1)),
      this.#kinds.get(panel.dataset.panel)?.sensor && !this.#schematic ? button(t("Keep this sensor"), "◎", (event) => this.#tie(panel, event.currentTarget)) : "",
      button(t("Remove"), icon("close"), () => this.#remove(panel)));
    if (panel.dataset.datastream) find(`[title="${t("Keep this sensor")}"]`, tools)?.setAttribute("aria-pressed", "true");
    panel.append(tools, element("div", { class: "dash-corner", "aria-hidden": "true" }));
    this.#size(panel);
  }

  // Ties a panel to the sensor that it shows now, or lets it follow what is selected again.
  #tie(panel, button) {
    if (panel.dataset.datastream) delete panel.dataset.datastream;
    else if (panel.dataset.shown) panel.dataset.datastream = panel.dataset.shown;
    button.setAttribute("aria-pressed", String(Boolean(panel.dataset.datastream)));
    this.#changed(panel.dataset.datastream ? t("{panel} keeps this sensor", { panel: panel.ariaLabel }) : t("{panel} follows what is selected", { panel: panel.ariaLabel }));
  }

  #strip(panel) {
    panel.tabIndex = -1;
    find(".dash-content", panel).inert = false;
    for (const part of [".dash-tools", ".dash-corner"]) find(part, panel)?.remove();
  }

  #size(panel) {
    setText(find("[data-size]", panel), `${panel.dataset.width}×${panel.dataset.height}`);
  }

  #changed(words) {
    setText(find("#announcer"), words);
    const empty = find("#dash-empty");
    if (empty) empty.hidden = panelsOf(this.#grid).length > 0;
    this.dispatchEvent(new CustomEvent("change"));
  }

  #move(panel, by) {
    const here = panelsOf(this.#grid);
    const to = here.indexOf(panel) + by;
    if (to < 0 || to >= here.length) return;
    if (by < 0) here[to].before(panel); else here[to].after(panel);
    panel.focus();
    this.#changed(t("{panel} is number {n} of {all}", { panel: panel.ariaLabel, n: to + 1, all: here.length }));
  }

  #resize(panel, wider, higher) {
    const bounded = (value, [least, most]) => Math.min(most, Math.max(least, value));
    panel.dataset.width = bounded(Number(panel.dataset.width) + wider, WIDTH);
    panel.dataset.height = bounded(Number(panel.dataset.height) + higher, HEIGHT);
    this.#size(panel);
    this.#changed(t("{panel}: {width} columns, {height} rows", { panel: panel.ariaLabel, width: panel.dataset.width, height: panel.dataset.height }));
  }

  #remove(panel) {
    const next = panel.nextElementSibling ?? panel.previousElementSibling;
    panel.remove();
    next?.focus();
    this.#changed(t("Removed: {panel}", { panel: panel.ariaLabel }));
  }

  #key(event) {
    const panel = event.target;
    if (!this.#active || !panel.matches?.(".dash-panel")) return;
    const by = MOVES[event.key];
    if (event.key === "Delete" || event.key === "Backspace") this.#remove(panel);
    else if (by && event.shiftKey) this.#resize(panel, event.key.endsWith("t") ? by : 0, event.key.endsWith("t") ? 0 : by);
    else if (by) this.#move(panel, by);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #press(event) {
    const panel = event.target.closest(".dash-panel");
    if (!this.#active || !panel || event.button !== 0 || event.target.closest("button")) return;
    event.preventDefault();
    panel.focus();
    if (event.target.matches(".dash-corner")) this.#drag(event, (moved) => this.#stretch(panel, moved));
    else {
      panel.classList.add("moving");
      this.#drag(event, (moved) => this.#carry(panel, moved), () => panel.classList.remove("moving"));
    }
  }

  #drag(begun, moved, done = () => {}) {
    const stop = new AbortController();
    const { signal } = stop;
    const end = () => { stop.abort(); done(); };
    this.#grid.setPointerCapture(begun.pointerId);
    this.#grid.addEventListener("pointermove", moved, { signal });
    this.#grid.addEventListener("pointerup", end, { signal });
    this.#grid.addEventListener("pointercancel", end, { signal });
  }

  #stretch(panel, event) {
    const style = getComputedStyle(this.#grid);
    const gap = parseFloat(style.columnGap);
    const at = panel.getBoundingClientRect();
    const column = (this.#grid.clientWidth + gap) / style.gridTemplateColumns.split(" ").length;
    const row = parseFloat(style.gridAutoRows.match(/[\d.]+px/)?.[0] ?? "44") + gap;
    const rows = style.gridTemplateRows.split(" ");
    const height = rows.length && parseFloat(rows[0]) ? parseFloat(rows[0]) + gap : row;
    const wider = Math.round((event.clientX - at.left) / column) - Number(panel.dataset.width);
    const higher = Math.round((event.clientY - at.top) / height) - Number(panel.dataset.height);
    if (wider || higher) this.#resize(panel, wider, higher);
  }

  #carry(panel, event) {
    const under = document.elementsFromPoint(event.clientX, event.clientY).map((found) => found.closest?.(".dash-panel")).find((found) => found && found !== panel);
    if (!under) return;
    const here = panelsOf(this.#grid);
    const to = here.indexOf(under);
    const from = here.indexOf(panel);
    const at = under.getBoundingClientRect();
    // Past the middle of the other panel, so that the two do not change places to and fro.
    const past = to > from ? event.clientX > at.left + at.width / 3 || event.clientY > at.top + at.height / 3
      : event.clientX < at.right - at.width / 3 || event.clientY < at.bottom - at.height / 3;
    if (!past || Date.now() - this.#swapped < 160) return;
    this.#swapped = Date.now();
    if (to > from) under.after(panel); else under.before(panel);
    this.#changed(t("{panel} is number {n} of {all}", { panel: panel.ariaLabel, n: to + 1, all: here.length }));
  }

  #swapped = 0;
}
