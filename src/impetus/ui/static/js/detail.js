// The selected alert: what it is, why it was raised, what was decided, and the buttons to decide.

import { now } from "./clock.js";
import { may } from "./context.js";
import { particulars, send } from "./deciding.js";
import { element, find, findAll, icon, setText } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { ago, momentText, word } from "./format.js";
import { mayGive } from "./giving.js";
import { conflictText, decisionLine, line } from "./history.js";
import { get } from "./http.js";
import { joinIncidentDialog, openIncidentDialog } from "./incident_dialog.js";
import { t } from "./i18n.js";
import { seriesOf } from "./readings.js";
import { SeriesChart } from "./series.js";
import { shortcut } from "./shortcuts.js";
import { toast } from "./toast.js";
import { isNewer } from "./queue.js";

const AROUND = 45 * 60_000;
const POSSIBLE = {
  new: ["acknowledge", "confirm", "dismiss", "escalate", "assign"], confirmed: ["reopen"], dismissed: ["reopen"],
  acknowledged: ["confirm", "dismiss", "escalate", "release", "assign"], escalated: ["confirm", "dismiss", "release", "assign"],
};
// Buttons that are there only when they can be pressed.
const COMES_AND_GOES = new Set(["reopen", "release", "assign"]);

export class AlertDetail extends EventTarget {
  #alert = null;
  #chart = null;
  #busy = false;
  #turn = Promise.resolve();

  constructor(panel, sensors) {
    super();
    this.panel = panel;
    this.sensors = sensors;
    if (!may("alerts:decide")) return;
    for (const [key, action] of [["r", "release"], ["h", "assign"]]) shortcut(key, () => { if (!find("#dash.arranging")) this.decide(action); });
  }

  get alert() {
    return this.#alert;
  }

  /** Show an alert; its history follows from the interface. */
  async show(alert) {
    this.#clear();
    this.#alert = { ...alert, history: alert.history ?? null };
    this.panel.append(find("#detail-template").content.cloneNode(true));
    find("[data-detail-empty]", this.panel).hidden = true;
    this.#wire();
    this.#fill();
    this.#drawSeries();
    await this.#refresh(alert.id);
  }

  /** The alert as it stands now, if it is the one that is shown. */
  update(alert) {
    if (!this.#alert || alert.id !== this.#alert.id || !isNewer(alert, this.#alert)) return;
    this.#alert = { ...alert, history: this.#alert.history, actions: null };
    this.#fill();
    this.#refresh(alert.id);
  }

  /** Somebody decided; adds the line at once. */
  decided(decision) {
    const history = this.#alert?.history;
    if (!history || decision.subject !== this.#alert.id || history.some((known) => known.id === decision.id)) return;
    history.push(decision);
    this.#fillTimeline();
  }

  /** Decide as soon as the decision before has been answered, so that no key is lost to somebody quick; never on another
   * alert than the one that was shown when the key was pressed. */
  decide(action) {
    const id = this.#alert?.id;
    this.#turn = this.#turn.then(() => (this.#alert?.id === id ? this.#decide(action) : undefined));
    return this.#turn;
  }

  async #decide(action) {
    const alert = this.#alert;
    if (!alert || !this.#possible().includes(action)) return;
    const more = await particulars(alert, action);
    if (!more || this.#alert?.id !== alert.id) return;
    this.#busy = true;
    this.#buttons();
    try {
      const taken = await send(alert, action, more);
      this.decided(taken.decision);
      this.dispatchEvent(new CustomEvent("alert", { detail: taken.alert }));
      setText(find("#announcer"), `${word(taken.alert.state)}: ${alert.headline}`);
    } catch (problem) {
      if (problem.status === 409 && problem.content.current) await this.#conflict(alert.id);
      else toast("bad", problem.message, problem.hint);
    } finally {
      this.#busy = false;
      this.#buttons();
    }
  }

  async join() {
    if (!this.#alert) return;
    const { id } = this.#alert;
    if (await joinIncidentDialog(this.#alert)) this.#refresh(id);
  }

  async openIncident() {
    if (!this.#alert) { openIncidentDialog(); return; }
    const { id } = this.#alert;
    if (await openIncidentDialog(this.#alert)) this.#refresh(id);
  }

  #possible() {
    const alert = this.#alert;
    const possible = alert?.actions?.map((action) => action.action) ?? POSSIBLE[alert?.state] ?? [];
    return possible.filter((action) => (action !== "release" && action !== "assign") || (mayGive(alert) && (action === "assign" || alert.holder)));
  }

  async #conflict(id) {
    await this.#refresh(id);
    if (this.#alert?.id !== id) return;
    const note = this.#slot("conflict");
    note.hidden = false;
    setText(note, `${conflictText(this.#alert)} ${t("Nothing was overwritten. Decide again if you still want to.")}`);
    note.scrollIntoView({ block: "nearest" });
  }

  async #refresh(id) {
    let alert;
    try {
      alert = await get(`/alerts/${encodeURIComponent(id)}`);
    } catch (problem) {
      if (problem.status !== 401) toast("bad", problem.message, problem.hint);
      return;
    }
    if (this.#alert?.id !== id) return;
    this.#alert = alert;
    this.#fill();
    this.dispatchEvent(new CustomEvent("alert", { detail: alert }));
  }

  async #openEvidence(evidence) {
    const opened = await openEvidence(evidence.sha256, evidence.title, this.#alert.incident ?? null);
    if (opened) open(opened.address, "_blank", "noopener");
  }

  #slot(name) {
    return find(`[data-slot="${name}"]`, this.panel);
  }

  #wire() {
    for (const button of findAll("[data-decide]", this.panel)) button.addEventListener("click", () => this.decide(button.dataset.decide));
    find("[data-join]", this.panel)?.addEventListener("click", () => this.join());
    find(".decide [data-new-incident]", this.panel)?.addEventListener("click", () => this.openIncident());
  }

  #fill() {
    const alert = this.#alert;
    const sensor = this.sensors.get(alert.source);
    setText(find("[data-detail-sub]", this.panel), alert.id.slice(0, 8));
    const chip = find("[data-detail-severity]", this.panel);
    chip.hidden = false;
    chip.dataset.severity = alert.severity;
    setText(chip, word(alert.severity));
    setText(this.#slot("headline"), alert.headline);
    setText(this.#slot("place"), alert.place?.name ?? "–");
    const source = this.#slot("source");
    source.href = `/sensors?datastream=${encodeURIComponent(alert.source)}`;
    setText(source, sensor?.name ?? alert.source);
    setText(this.#slot("onset"), momentText(alert.onset));
    setText(this.#slot("since"), `(${ago(alert.onset)})`);
    setText(this.#slot("confidence"), `${alert.confidence.toFixed(2)}`);
    const state = this.#slot("state");
    state.dataset.state = alert.state;
    setText(state, word(alert.state));
    setText(this.#slot("handled"), alert.holder_name ? t("held by {name}", { name: alert.holder_name }) : alert.handled_by ?? "");
    for (const part of findAll("[data-incident]", this.panel)) part.hidden = !alert.incident;
    const incident = this.#slot("incident");
    incident.href = `/incidents/${encodeURIComponent(alert.incident ?? "")}`;
    setText(incident, t("Open the incident room"));
    setText(this.#slot("description"), alert.description || reasons(alert));
    setText(this.#slot("instruction"), alert.instruction);
    this.#slot("factors").replaceChildren(...alert.explanation.map(factor));
    find("[data-evidence]", this.panel).hidden = !alert.evidence.length;
    this.#slot("evidence").replaceChildren(...alert.evidence.map((evidence) => element("li", {},
      element("button", { type: "button", class: "button quiet small", onclick: () => this.#openEvidence(evidence) }, icon("file"),
        element("span", { class: "clip" }, evidence.title), element("span", { class: "faint mono" }, evidence.media_type)))));
    setText(this.#slot("model"), `${alert.tool} · ${alert.detector} · ${alert.model.name} ${alert.model.version}`);
    setText(this.#slot("id"), alert.id);
    this.#fillTimeline();
    this.#buttons();
  }

  #fillTimeline() {
    const alert = this.#alert;
    const history = [...(alert.history ?? [])].reverse().map((decision) => decisionLine(decision));
    this.#slot("timeline").replaceChildren(...history,
      line(alert.received, t("Alert raised"), { tone: "severity-severe" }), line(alert.onset, t("Began"), { tone: "series-anomaly" }));
  }

  #buttons() {
    const possible = this.#possible();
    for (const button of findAll("[data-decide]", this.panel)) {
      const fits = possible.includes(button.dataset.decide);
      button.disabled = !fits || this.#busy;
      if (COMES_AND_GOES.has(button.dataset.decide)) button.hidden = !fits;
      if (button.dataset.decide === "dismiss") button.hidden = possible.includes("reopen");
    }
  }

  async #drawSeries() {
    const alert = this.#alert;
    const sensor = this.sensors.get(alert.source);
    find("[data-readings]", this.panel).hidden = !sensor;
    if (!sensor) return;
    const onset = Date.parse(alert.onset);
    const place = this.#slot("series");
    place.classList.add("loading");
    try {
      const shown = await seriesOf(sensor, onset - AROUND, Math.min(now(), onset + AROUND) + 60_000, 180);
      if (this.#alert?.id !== alert.id) return;
      this.#chart = new SeriesChart(place, { mini: true });
      this.#chart.show({ ...shown, alerts: [alert] });
    } catch {
      place.replaceChildren(element("p", { class: "empty" }, t("The readings cannot be shown now.")));
    } finally {
      place.classList.remove("loading");
    }
  }

  #clear() {
    this.#chart?.dispose();
    this.#chart = null;
    for (const part of findAll(".detail-body, .decide", this.panel)) part.remove();
  }
}

/** The first reason in words, for a tool that wrote no description. */
function reasons(alert) {
  const [reason] = alert.explanation;
  if (!reason) return t("The tool gave no further words.");
  const read = reason.observed && reason.expected ? t("Observed {observed}; expected {expected}.", reason) : `${reason.name}.`;
  return `${read} ${reason.text}`;
}

function factor(reason) {
  const against = reason.weight < 0;
  const values = [];
  if (reason.observed) values.push(t("observed"), " ", element("b", {}, reason.observed));
  if (reason.observed && reason.expected) values.push(" · ");
  if (reason.expected) values.push(t("expected"), " ", element("b", {}, reason.expected));
  if (!values.length && reason.text) values.push(reason.text);
  return element("li", { class: against ? "factor against" : "factor", title: reason.text },
    element("span", { class: "name" }, reason.name),
    element("meter", { min: 0, max: 1, value: Math.abs(reason.weight), title: against ? t("speaks against the alert") : t("speaks for the alert") }),
    element("span", { class: "weight" }, `${against ? "−" : "+"}${Math.abs(reason.weight).toFixed(2)}`),
    values.length ? element("span", { class: "values" }, ...values) : null);
}
