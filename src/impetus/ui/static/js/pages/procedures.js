// Procedures and tasks: what is mine to do, where each procedure stands, and how each is drawn.

import { context, may } from "../context.js";
import { choice, element, find, icon, setText, settled } from "../dom.js";
import { draftCards } from "../drafts.js";
import { all, get } from "../http.js";
import { t, tn } from "../i18n.js";
import { ProcedureDrawing } from "../procedure_drawing.js";
import { IncidentProcedures, marks, procedureDetail } from "../procedure_panel.js";
import { role, state, underWay } from "../procedure_words.js";
import { stream } from "../stream.js";
import { byUrgency, stepText, taskCard, taskForm } from "../tasks.js";
import { toast } from "../toast.js";

const tasks = new Map();
let library = [];
let scope = "role";
let chosen = null; // a task's id
let shown = { procedure: null, definition: null, run: null };
let room = null;
let step = null;

const drawing = new ProcedureDrawing(find("#drawing"));
const detail = find("#detail");

function wanted(task) {
  if (!underWay(task)) return false;
  if (scope === "all") return true;
  if (task.claimed_by === context.person.id) return true;
  return scope === "role" && task.roles.includes(context.person.role);
}

const show = settled(() => {
  if (!find("#tasks")) return; // the page is about one incident
  const list = [...tasks.values()].filter(wanted).sort(byUrgency);
  setText(find("[data-task-count]"), tn("{n} task", "{n} tasks", list.length));
  find("#tasks").classList.remove("loading");
  find("#tasks").replaceChildren(...(list.length
    ? list.map((task) => taskCard(task, { pressed: task.id === chosen, chosen: choose }))
    : [element("div", { class: "empty" }, icon("check", false), element("b", {}, t("Nothing to do here")), element("span", {}, t("Tasks come up when a procedure is started for an incident.")))]));
}, 40);

function showLibrary() {
  find("#library").replaceChildren(...library.map((one) => element("button", {
    type: "button", class: "task-card", "aria-pressed": String(!room && shown.procedure === one.id), onclick: () => open(one.id),
  }, element("span", { class: "task-line" }, element("b", { class: "clip" }, one.title), one.published ? element("span", { class: "chip" }, t("own")) : null),
  element("span", { class: "task-line muted" }, element("span", { class: "clip" }, one.roles.map(role).join(", ")), element("span", {}, tn("{n} task", "{n} tasks", one.tasks))))));
}

async function draw(procedure, definition) {
  const found = await procedureDetail(procedure, definition);
  if (shown.procedure !== procedure || shown.definition !== definition) {
    shown = { procedure, definition };
    drawing.show(found);
  }
  setText(find("[data-title]"), found.title);
  setText(find("[data-summary]"), found.summary);
  const file = find("[data-file]");
  file.hidden = false;
  file.href = `/api/v1/procedures/${encodeURIComponent(procedure)}/file${definition ? `?definition=${definition}` : ""}`;
  return found;
}

function showDetail() {
  const task = chosen ? tasks.get(chosen) ?? room?.tasks.find((one) => one.id === chosen) : null;
  const key = task ? `${task.id} ${task.version}` : step ? `step ${step.id}` : "";
  if (detail.dataset.shown === key) return; // what is being written stays
  detail.dataset.shown = key;
  if (task) detail.replaceChildren(taskForm(task, after));
  else if (step) detail.replaceChildren(element("div", { class: "task-form stack" }, element("h3", {}, step.name || t("Step")), ...stepText(step)));
  else detail.replaceChildren(element("div", { class: "empty" }, element("b", {}, t("Choose a task or a step"))));
}

async function showRun(id) {
  room = await get(`/runs/${encodeURIComponent(id)}`);
  for (const task of room.tasks) take(task);
  const { run } = room;
  await draw(run.procedure, run.definition);
  drawing.mark(marks(run, room.tasks));
  const word = find("[data-run-state]");
  word.hidden = false;
  word.dataset.state = run.state;
  setText(word, run.outcome ?? state(run.state));
  const link = find("[data-incident]");
  link.hidden = !may("incidents:read");
  link.href = `/incidents/${encodeURIComponent(run.incident)}`;
  find("#drafts").replaceChildren(...draftCards(run, () => showRun(run.id)));
  showLibrary();
}

async function choose(task) {
  chosen = task.id;
  step = null;
  show();
  showDetail();
  await showRun(task.run).catch((problem) => toast("bad", problem.message, problem.hint));
  drawing.choose(task.step, { tell: false });
}

async function open(procedure) {
  room = null;
  find("#drafts").replaceChildren();
  chosen = null;
  step = null;
  find("[data-run-state]").hidden = true;
  find("[data-incident]").hidden = true;
  await draw(procedure, null).catch((problem) => toast("bad", problem.message, problem.hint));
  drawing.mark();
  showLibrary();
  show();
  showDetail();
}

async function after(task) {
  if (task) take(task);
  if (room) await showRun(room.run.id).catch(() => {});
  if (!task || !underWay(task)) {
    const next = [...tasks.values()].filter((one) => one.run === room?.run.id && wanted(one)).sort(byUrgency)[0];
    if (next) { await choose(next); return; }
  }
  show();
  detail.dataset.shown = "";
  showDetail();
}

function take(task) {
  const known = tasks.get(task.id);
  if (known && known.version > task.version) return;
  tasks.set(task.id, task);
  show();
}

const load = async () => {
  tasks.clear();
  for (const task of await all("/tasks", { scope: "all" })) take(task);
  show();
};

drawing.addEventListener("step", (event) => {
  step = event.detail;
  chosen = [...(room?.tasks ?? [])].reverse().find((task) => task.step === step.id)?.id ?? null;
  show();
  showDetail();
});

const again = settled(() => { if (room) showRun(room.run.id).then(showDetail).catch(() => {}); }, 120);
stream.want("tasks");
stream.on("task", (task) => { take(task); if (task.id === chosen) showDetail(); if (task.run === room?.run.id) again(); });
stream.on("procedure", (run) => { if (run.id === room?.run.id) again(); });
stream.on("reset", () => load().then(again));
stream.on("open", () => load().then(again).catch(() => {}));
choice(find("#task-scope"), "scope", (given) => { scope = given; show(); });

/** Only the procedures of one incident: `/procedures?incident=ID`. */
async function showIncident(id) {
  const { incident } = may("incidents:read") ? await get(`/incidents/${encodeURIComponent(id)}`) : { incident: { title: id } };
  const host = element("section", { class: "panel", "aria-label": t("Procedures of this incident") });
  find(".procedures").replaceWith(element("div", { class: "procedures-of" },
    element("header", { class: "panel room-head", "data-severity": incident.severity }, element("a", { class: "button small", href: `/incidents/${encodeURIComponent(id)}` }, t("Back to the incident")), element("h2", { class: "clip" }, incident.title)), host));
  await new IncidentProcedures(host, id).load();
}

async function showAll() {
  library = await all("/procedures", { limit: null });
  await load();
  const asked = new URLSearchParams(location.search);
  const first = tasks.get(asked.get("task")) ?? [...tasks.values()].filter(wanted).sort(byUrgency)[0];
  if (asked.get("procedure")) await open(asked.get("procedure"));
  else if (first) await choose(first);
  else if (library.length) await open(library[0].id);
  showLibrary();
}

const about = new URLSearchParams(location.search).get("incident");
await (about ? showIncident(about) : showAll()).catch((problem) => toast("bad", problem.message, problem.hint));
