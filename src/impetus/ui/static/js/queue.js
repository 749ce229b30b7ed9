// The alert queue: what waits for a person, worst first. What arrives never moves what the person is looking at.

import { choice, find, findAll, setText, settled } from "./dom.js";
import { clockTime, minuteTime, whole, word } from "./format.js";
import { cell, dense, loaded, makeGrid, narrow, textCell } from "./grid.js";
import { t, tn } from "./i18n.js";
import { SEVERITY_RANK } from "./palette.js";

const OPEN = new Set(["new", "acknowledged", "escalated"]);
const STAYS = 20_000; // a decided alert stays this long where it was
const STILL = 3000; // a pointer that has not moved for this long is not about to click
const SOONEST = 20; // what arrives together is drawn together
const FLASH = 2500;
const FLASHES = 6; // where more arrives at once nothing flashes: every row that does is drawn anew sixty times a second

/** Whether one state of an alert is newer than another. */
export function isNewer(alert, known) {
  return alert.version > known.version || (alert.version === known.version && (alert.revision ?? 0) > (known.revision ?? 0))
    || (alert.version === known.version && (alert.incident !== known.incident || alert.repeats !== known.repeats) && alert.updated > known.updated);
}

function flashes(times, id) {
  return times.size <= FLASHES && Date.now() - (times.get(id) ?? 0) < FLASH;
}

export class AlertQueue extends EventTarget {
  #alerts = new Map();
  #waiting = new Map();
  #arrived = new Map();
  #changed = new Map();
  #decided = new Map();
  #selected = null;
  #scope = "open";
  #moved = 0;
  #scrolled = false;
  #order = "harm";
  #ready = false;
  #coming = { add: new Map(), update: new Map() };
  #timer = 0;
  #took = 0;

  constructor(panel) {
    super();
    this.panel = panel;
    this.pill = find("#queue-new", panel);
    this.body = find(".queue-body", panel);
    this.grid = makeGrid(find("#queue-grid", panel), this.#options());
    this.#wire();
  }

  get selected() {
    return this.#selected;
  }

  get alerts() {
    return this.#alerts;
  }

  /** Alerts as the interface lists them. */
  load(alerts) {
    const fresh = [];
    for (const alert of alerts) {
      if (alert.repeat_of) continue; // the alert that it repeats stands for it
      const known = this.#alerts.get(alert.id);
      if (known && !isNewer(alert, known)) continue;
      this.#alerts.set(alert.id, alert);
      if (known || this.#waiting.has(alert.id)) this.apply(alert); else fresh.push(alert);
    }
    if (fresh.length) this.grid.applyTransaction({ add: fresh });
    loaded(this.grid);
    this.#ready = true;
    this.#count();
  }

  /** One alert as it stands now. */
  apply(alert) {
    if (alert.repeat_of) return;
    const known = this.#alerts.get(alert.id);
    if (known && known !== alert && !isNewer(alert, known)) return;
    this.#alerts.set(alert.id, alert);
    if (known && OPEN.has(known.state) && !OPEN.has(alert.state)) this.#decided.set(alert.id, Date.now());
    if (this.#waiting.has(alert.id)) {
      this.#waiting.set(alert.id, alert);
    } else if (known) {
      this.#changed.set(alert.id, Date.now());
      this.#update(alert, known);
    } else if (this.#ready && this.#held()) {
      this.#waiting.set(alert.id, alert);
    } else {
      this.#arrived.set(alert.id, Date.now());
      this.#soon("add", alert);
    }
    this.#showPill();
    this.#count();
  }

  /** Select by id; with `show` the row is brought into view. */
  select(id, { show = true } = {}) {
    if (this.#waiting.has(id)) this.#release();
    this.#flush();
    const row = this.grid.getRowNode(id);
    if (!row) return false;
    row.setSelected(true, true);
    if (show && row.rowIndex !== null) this.grid.ensureIndexVisible(row.rowIndex);
    return true;
  }

  /** Select the next (1) or previous (-1) row. */
  step(by) {
    const count = this.grid.getDisplayedRowCount();
    if (!count) return;
    const now = this.#selected ? this.grid.getRowNode(this.#selected)?.rowIndex : null;
    const index = now === null || now === undefined ? 0 : Math.min(count - 1, Math.max(0, now + by));
    const row = this.grid.getDisplayedRowAtIndex(index);
    this.#moved = Date.now();
    row.setSelected(true, true);
    this.grid.ensureIndexVisible(index);
  }

  /** Let the waiting alerts in and go to the top. */
  showNew() {
    this.#release();
    this.grid.ensureIndexVisible(0, "top");
  }

  #options() {
    const compare = (a, b) => (this.#order === "harm" ? a.harm - b.harm : Date.parse(a.received) - Date.parse(b.received))
      || (a.received < b.received ? -1 : a.received > b.received ? 1 : 0) || (a.id < b.id ? -1 : 1);
    return {
      localeText: { noRowsToShow: t("No alert is open"), noMatchingRows: t("No alert to show") },
      columnDefs: [
        { headerName: t("Severity"), width: dense ? 80 : 86, cellRenderer: cell((shown, alert) => {
          shown.className = "severity";
          shown.dataset.severity = alert.severity;
          shown.textContent = word(alert.severity);
        }) },
        { headerName: t("Time"), width: dense ? 50 : 74, cellRenderer: textCell((alert) => (dense ? minuteTime : clockTime)(alert.received), "mono muted") },
        { headerName: t("Alert"), flex: 2.1, minWidth: 96, cellRenderer: textCell((alert) => (alert.repeats ? `×${whole(alert.repeats + 1)} ${alert.headline}` : alert.headline), "clip strong-text") },
        { headerName: t("Place"), flex: 1, minWidth: 62, hide: narrow, // headlines name the place
          cellRenderer: textCell((alert) => alert.place?.name ?? "–") },
        { headerName: t("P"), headerTooltip: t("Probability"), width: dense ? 40 : 45, cellRenderer: textCell((alert) => alert.confidence.toFixed(2), "mono muted") },
        { headerName: t("Status"), width: narrow ? 84 : 120, cellRenderer: cell((shown, alert) => {
          shown.className = "state";
          shown.dataset.state = alert.state;
          shown.textContent = word(alert.state);
          const whose = alert.holder_name ? t("held by {name}", { name: alert.holder_name }) : alert.handled_by;
          shown.title = whose ? `${word(alert.state)} · ${whose}` : word(alert.state);
        }) },
        { colId: "order", hide: true, sort: "desc", valueGetter: (row) => row.data, comparator: (a, b) => compare(a, b) },
      ],
      rowClassRules: {
        decided: (row) => !OPEN.has(row.data.state),
        arrived: (row) => flashes(this.#arrived, row.data.id),
        changed: (row) => flashes(this.#changed, row.data.id),
      },
      isExternalFilterPresent: () => true,
      doesExternalFilterPass: (row) => this.#passes(row.data),
      getQuickFilterText: undefined,
      onSelectionChanged: () => {
        const [alert] = this.grid.getSelectedRows();
        if (!alert || alert.id === this.#selected) return;
        this.#selected = alert.id;
        this.dispatchEvent(new CustomEvent("select", { detail: alert.id }));
      },
      onBodyScroll: (event) => {
        if (event.direction !== "vertical") return;
        this.#scrolled = event.top > 4;
        if (!this.#scrolled) this.#release();
      },
      onModelUpdated: () => this.#count(),
    };
  }

  #search = "";

  #passes(alert) {
    const open = OPEN.has(alert.state) || Date.now() - (this.#decided.get(alert.id) ?? 0) < STAYS || alert.id === this.#selected;
    if (this.#scope !== "all" && !open) return false;
    if (this.#scope === "severe" && SEVERITY_RANK[alert.severity] > 1) return false;
    if (!this.#search) return true;
    const text = `${alert.headline} ${alert.place?.name ?? ""} ${alert.source} ${alert.severity} ${word(alert.severity)} ${word(alert.state)}`;
    return text.toLowerCase().includes(this.#search);
  }

  #held() {
    return this.#scrolled || (Date.now() - this.#moved < STILL);
  }

  #wire() {
    this.body.addEventListener("pointermove", (event) => { if (event.movementX || event.movementY) this.#moved = Date.now(); });
    this.body.addEventListener("pointerleave", () => { this.#moved = 0; setTimeout(() => this.#settle(), 250); });
    this.pill.addEventListener("click", () => this.showNew());
    choice(find("#queue-scope", this.panel), "scope", (scope) => {
      this.#scope = scope;
      this.#release();
      this.grid.onFilterChanged();
      this.dispatchEvent(new CustomEvent("scope", { detail: scope }));
    });
    choice(find("#queue-order", this.panel), "order", (order) => {
      this.#order = order;
      this.#release();
      this.grid.refreshClientSideRowModel("sort");
      this.#count();
    });
    const search = find("#queue-search", this.panel);
    search.addEventListener("input", settled(() => { this.#search = search.value.trim().toLowerCase(); this.grid.onFilterChanged(); }, 150));
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && search.value) { search.value = ""; search.dispatchEvent(new Event("input")); }
      if (event.key === "Enter") search.blur(); // the list has the keys again, and stays filtered
    });
    setInterval(() => this.#settle(), 1000);
  }

  // When nobody is about to click: let in what waits, and let go what was decided a while ago.
  #settle() {
    if (this.#held()) return;
    if (this.#waiting.size) this.#release();
    const now = Date.now();
    let gone = false;
    for (const [id, when] of this.#decided) if (now - when > STAYS) { this.#decided.delete(id); gone = true; }
    if (gone) this.grid.onFilterChanged();
    for (const times of [this.#arrived, this.#changed]) for (const [id, when] of times) if (now - when > FLASH) times.delete(id);
  }

  // Most changes leave a row where it is: then only this row is drawn anew, at once, and not ten thousand sorted.
  #update(alert, known) {
    const row = this.grid.getRowNode(alert.id);
    const stays = row && known.harm === alert.harm && known.received === alert.received && this.#passes(known) === this.#passes(alert);
    if (stays && !this.#coming.update.has(alert.id)) row.updateData(alert); else this.#soon("update", alert);
  }

  // A busy machine gets larger batches: drawing takes at most half of the page's time, however much arrives.
  #soon(what, alert) {
    this.#coming[what].set(alert.id, alert);
    this.#timer ||= setTimeout(() => this.#flush(), Math.max(SOONEST, this.#took));
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { add, update } = this.#coming;
    if (!add.size && !update.size) return;
    for (const [id, alert] of update) if (add.has(id)) { add.set(id, alert); update.delete(id); }
    this.#coming = { add: new Map(), update: new Map() };
    const began = performance.now();
    this.grid.applyTransaction({ add: [...add.values()], update: [...update.values()] });
    this.#took = performance.now() - began;
  }

  #release() {
    if (!this.#waiting.size) return;
    this.#flush();
    const fresh = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const alert of fresh) this.#arrived.set(alert.id, Date.now());
    this.grid.applyTransaction({ add: fresh });
    this.#showPill();
  }

  #showPill() {
    const waiting = [...this.#waiting.values()].filter((alert) => this.#passes(alert));
    this.pill.hidden = waiting.length === 0;
    if (!waiting.length) return;
    waiting.sort((a, b) => SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity]);
    this.pill.dataset.severity = waiting[0].severity;
    setText(this.pill, `↑ ${tn("{n} new alert", "{n} new alerts", waiting.length)}`);
  }

  #count = settled(() => {
    let open = 0;
    for (const alert of this.#alerts.values()) if (OPEN.has(alert.state)) open += 1;
    const order = this.#order === "harm" ? t("worst first") : t("newest first");
    setText(find("[data-queue-sub]", this.panel), `${tn("{n} open", "{n} open", open)} · ${order}`);
    for (const badge of findAll("[data-open-count]")) { badge.hidden = open === 0; setText(badge, whole(open)); }
  }, 120);
}
