// The procedures of one incident as a part of any page: drawing, next tasks, drafts, and starting another one.
//
//   const panel = new IncidentProcedures(document.querySelector("#procedures"), incidentId);
//   await panel.load();

import { may } from "./context.js";
import { askReason } from "./dialogs.js";
import { draftCards } from "./drafts.js";
import { element, settled } from "./dom.js";
import { all, get, newId, post } from "./http.js";
import { t } from "./i18n.js";
import { ProcedureDrawing } from "./procedure_drawing.js";
import { mayAct, state, urgency } from "./procedure_words.js";
import { stream } from "./stream.js";
import { byUrgency, stepText, taskCard, taskForm } from "./tasks.js";
import { toast } from "./toast.js";

const details = new Map();

/** A procedure with its drawing; each text of it is fetched once. */
export async function procedureDetail(id, definition) {
  const key = `${id} ${definition}`;
  if (!details.has(key)) details.set(key, get(`/procedures/${encodeURIComponent(id)}`, { definition }));
  try {
    return await details.get(key);
  } catch (problem) {
    details.delete(key);
    throw problem;
  }
}

/** What of a run the drawing colours. */
export function marks(run, tasks) {
  return { done: run.done, current: run.current, late: tasks.filter((task) => urgency(task) === "late").map((task) => task.step) };
}

export class IncidentProcedures extends EventTarget {
  #incident;
  #host;
  #rooms = [];
  #run = null;
  #task = null;
  #step = null;
  #drawn = "";
  #drawing;
  #parts;

  constructor(host, incident) {
    super();
    this.#host = host;
    this.#incident = incident;
    this.#parts = {
      tabs: element("div", { class: "choice", role: "group", "aria-label": t("Procedures of this incident") }),
      actions: element("span", { class: "end" }),
      drawing: element("div", {}),
      tasks: element("div", { class: "task-list" }),
      detail: element("div", { class: "task-detail" }),
      drafts: element("div", { class: "drafts" }),
    };
    this.#drawing = new ProcedureDrawing(this.#parts.drawing);
    this.#drawing.addEventListener("step", (event) => {
      const task = [...(this.#room()?.tasks ?? [])].reverse().find((one) => one.step === event.detail.id);
      this.#task = task?.id ?? null;
      this.#step = event.detail;
      this.#showDetail();
    });
    host.classList.add("procedures-part");
    host.replaceChildren(element("header", { class: "panel-head" }, element("h2", {}, t("Procedures")), this.#parts.tabs, this.#parts.actions),
      element("div", { class: "procedures-body" }, this.#parts.drawing, element("div", { class: "procedures-side" }, this.#parts.tasks, this.#parts.detail, this.#parts.drafts)));
    const again = settled(() => this.load().catch(() => {}), 120);
    stream.want("tasks");
    stream.on("task", (task) => { if (task.incident === incident) again(); });
    stream.on("procedure", (run) => { if (run.incident === incident) again(); });
    stream.on("reset", again);
    stream.on("open", again);
  }

  /** Fetch the present state and show it. */
  async load() {
    this.#rooms = await all(`/incidents/${encodeURIComponent(this.#incident)}/procedures`, { limit: null }).catch((problem) => {
      toast("bad", problem.message, problem.hint);
      return this.#rooms;
    });
    if (!this.#room()) this.#run = (this.#rooms.find((room) => room.run.state === "running") ?? this.#rooms.at(-1))?.run.id ?? null;
    await this.#show();
  }

  #room() {
    return this.#rooms.find((room) => room.run.id === this.#run) ?? null;
  }

  async #show() {
    const room = this.#room();
    this.#parts.tabs.hidden = this.#rooms.length === 0;
    this.#parts.tabs.replaceChildren(...this.#rooms.map(({ run }) => element("button", {
      type: "button", "aria-pressed": String(run.id === this.#run), onclick: () => { this.#run = run.id; this.#task = this.#step = null; this.#show(); },
    }, run.title)));
    this.#parts.actions.replaceChildren(
      ...(room ? [element("span", { class: "state", "data-state": room.run.state }, room.run.outcome ?? state(room.run.state))] : []),
      ...(room?.run.state === "running" && may("procedures:start") ? [element("button", { type: "button", class: "button small", onclick: () => this.#cancel(room.run) }, t("Cancel"))] : []),
      ...(may("procedures:start") ? [element("button", { type: "button", class: "button small primary", "data-start": true, onclick: () => this.#choose() }, t("Start a procedure"))] : []));
    if (!room) {
      this.#drawn = "";
      this.#parts.drawing.replaceChildren(element("div", { class: "empty" }, element("b", {}, t("No procedure is under way")), element("span", {}, t("Start the one that fits; it says who does what until when."))));
      this.#parts.tasks.replaceChildren();
      this.#parts.drafts.replaceChildren();
      this.#parts.detail.replaceChildren();
      return;
    }
    if (this.#drawn !== room.run.id) {
      this.#drawing.show(await procedureDetail(room.run.procedure, room.run.definition));
      this.#drawn = room.run.id;
    }
    this.#drawing.mark(marks(room.run, room.tasks));
    const open = room.tasks.filter((task) => task.state === "open" || task.state === "claimed").sort(byUrgency);
    if (!this.#step && (!this.#task || !open.some((task) => task.id === this.#task))) this.#task = (open.find(mayAct) ?? open[0])?.id ?? null;
    this.#parts.tasks.replaceChildren(...open.map((task) => taskCard(task, {
      showIncident: false, pressed: task.id === this.#task,
      chosen: (one) => { this.#task = one.id; this.#step = null; this.#drawing.choose(one.step, { tell: false }); this.#show(); },
    })));
    this.#parts.drafts.replaceChildren(...draftCards(room.run, () => this.load()));
    this.#showDetail();
  }

  #showDetail() {
    const task = this.#room()?.tasks.find((one) => one.id === this.#task);
    // What is being written must not vanish because something else moved on.
    const shown = this.#parts.detail.dataset.shown;
    const wanted = task ? `${task.id} ${task.version}` : this.#step?.id ?? "";
    if (shown === wanted) return;
    this.#parts.detail.dataset.shown = wanted;
    if (task) this.#parts.detail.replaceChildren(taskForm(task, () => { this.#step = null; this.load(); }));
    else if (this.#step) this.#parts.detail.replaceChildren(element("div", { class: "task-form stack" }, element("h3", {}, this.#step.name), ...stepText(this.#step)));
    else this.#parts.detail.replaceChildren();
  }

  async #choose() {
    const procedures = await all("/procedures", { limit: null });
    const chosen = await pickProcedure(procedures);
    if (!chosen) return;
    try {
      const run = await post(`/incidents/${encodeURIComponent(this.#incident)}/procedures`, { id: newId(), procedure: chosen });
      this.#run = run.id;
      this.#task = this.#step = null;
    } catch (problem) {
      toast("bad", problem.message, problem.hint);
    }
    await this.load();
  }

  async #cancel(run) {
    const reason = await askReason({ title: t("Cancel the procedure"), text: run.title, yes: t("Cancel it"), required: true, danger: true });
    if (reason === null) return;
    try {
      await post(`/runs/${encodeURIComponent(run.id)}/cancel`, { id: newId(), version: run.version, reason });
    } catch (problem) {
      toast("warn", problem.message, problem.hint);
    }
    await this.load();
  }
}

/** Ask which procedure; its id, or null. */
export function pickProcedure(procedures) {
  const form = element("form", { method: "dialog" }, element("h2", {}, t("Start a procedure")),
    element("div", { class: "pick" }, ...procedures.map((one, number) => element("label", {},
      element("input", { type: "radio", name: "procedure", value: one.id, required: true, checked: number === 0 }),
      element("span", {}, element("b", {}, one.title), element("br"), element("span", { class: "muted" }, one.summary.split(". ")[0]))))),
    element("div", { class: "actions" }, element("button", { class: "button", value: "", formnovalidate: true }, t("Cancel")), element("button", { class: "button primary", value: "yes" }, t("Start"))));
  const dialog = element("dialog", { class: "dialog" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    const chosen = dialog.returnValue === "yes" ? new FormData(form).get("procedure") : null;
    dialog.remove();
    resolve(chosen);
  }, { once: true }));
}
