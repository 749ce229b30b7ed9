// Tasks of procedures: cards with deadlines that count down, and the form with which one is taken and completed.

import { context, may } from "./context.js";
import { element, findAll, icon, setText } from "./dom.js";
import { momentText } from "./format.js";
import { newId, post } from "./http.js";
import { t } from "./i18n.js";
import { duration, left, mayAct, role, state, underWay, urgency } from "./procedure_words.js";
import { toast } from "./toast.js";

/** The deadline of a task; the figures have one width, so nothing beside them moves. */
function dueMark(task) {
  if (!underWay(task)) return element("span", { class: "state", "data-state": task.state }, state(task.state));
  return element("time", { class: "due", datetime: task.due, "data-due": task.due, "data-urgency": urgency(task), title: t("Due {time}", { time: momentText(task.due) }) }, left(task.due));
}

function count() {
  for (const mark of findAll("[data-due]")) {
    setText(mark, left(mark.dataset.due));
    if (Date.parse(mark.dataset.due) < Date.now()) mark.dataset.urgency = "late";
  }
}

setInterval(count, 1000);

/** Late ones first, then by deadline. */
export function byUrgency(one, other) {
  return underWay(other) - underWay(one) || (one.due < other.due ? -1 : 1);
}

/** One task in a list; `chosen` is called with it. */
export function taskCard(task, { chosen, pressed = false, showIncident = true }) {
  return element("button", { type: "button", class: "task-card", "data-task": task.id, "data-urgency": urgency(task), "data-state": task.state, "aria-pressed": String(pressed), onclick: () => chosen(task) },
    element("span", { class: "task-line" }, element("b", { class: "clip" }, task.title), dueMark(task)),
    element("span", { class: "task-line muted" }, element("span", { class: "clip" }, showIncident ? task.procedure_title : task.organisation),
      element("span", { class: "task-who clip" }, task.claimed_by_name ?? task.roles.map(role).join(", "))));
}

function answerField(asked, given) {
  const name = asked.id;
  const label = element("span", {}, asked.label, asked.required ? element("em", { class: "needed" }, ` ${t("needed")}`) : null);
  if (asked.kind === "choice") {
    return element("fieldset", { class: "answers" }, element("legend", { class: "legend" }, label),
      ...asked.choices.map((choice) => element("label", { class: "answer" },
        element("input", { type: "radio", name, value: choice.value, required: asked.required, checked: given?.[name] === choice.value }), element("span", {}, choice.label))));
  }
  const input = asked.kind === "number"
    ? element("input", { class: "input small", name, type: "number", step: "any", required: asked.required })
    : element("textarea", { class: "input", name, rows: 2, maxlength: 10_000, required: asked.required });
  if (given?.[name] !== undefined) input.value = given[name];
  return element("label", { class: "field" }, label, input);
}

function paragraphs(text) {
  return text.split("\n\n").filter(Boolean).map((one) => element("p", {}, one));
}

/** What one step asks, as reading matter: for a step that is no task yet, too. */
export function stepText(step) {
  return [
    element("dl", { class: "facts" },
      ...(step.role || step.roles ? [element("dt", {}, t("Who")), element("dd", {}, (step.roles ?? [step.role]).map(role).join(", "))] : []),
      ...(step.organisation ? [element("dt", {}, t("Organisation")), element("dd", {}, step.organisation)] : []),
      ...(step.deadline_s ? [element("dt", {}, t("Within")), element("dd", {}, duration(step.deadline_s))] : []),
      ...(step.escalation?.length ? [element("dt", {}, t("Then also")), element("dd", {}, step.escalation.map(role).join(", "))] : []),
      ...(step.wait_s ? [element("dt", {}, t("Waits")), element("dd", {}, duration(step.wait_s))] : [])),
    ...(step.instruction ? [element("section", { class: "to-do" }, element("h3", { class: "label" }, t("Do")), ...paragraphs(step.instruction))] : []),
    ...(step.assess ? [element("section", { class: "to-do" }, element("h3", { class: "label" }, t("Assess")), ...paragraphs(step.assess))] : []),
    ...(step.text ? [element("section", { class: "to-do" }, element("h3", { class: "label" }, step.operation === "draft-message" ? t("Drafts") : t("Asks for")), ...paragraphs(step.text))] : []),
  ];
}

async function send(task, verb, body) {
  try {
    return await post(`/tasks/${encodeURIComponent(task.id)}/${verb}`, { id: newId(), version: task.version, ...body });
  } catch (problem) {
    toast(problem.status === 409 ? "warn" : "bad", problem.message, problem.hint);
    return null;
  }
}

function readAnswers(task, form) {
  const data = new FormData(form);
  const answers = {};
  for (const asked of task.fields) {
    const given = String(data.get(asked.id) ?? "").trim();
    if (given) answers[asked.id] = asked.kind === "number" ? Number(given) : given;
  }
  return answers;
}

/** The task with its instructions and, if the person may act on it, its form. `changed` is called with what it became. */
export function taskForm(task, changed) {
  const act = (verb, body = {}) => send(task, verb, body).then((after) => changed(after));
  const head = element("div", { class: "task-head" }, element("h3", { class: "grow" }, task.title), dueMark(task));
  const answered = Object.keys(task.answers ?? {}).length && !underWay(task);
  const parts = [head, ...stepText(task)];
  if (answered) {
    parts.push(element("dl", { class: "facts" }, ...task.fields.filter((asked) => asked.id in task.answers).flatMap((asked) => [
      element("dt", {}, asked.label), element("dd", {}, asked.choices.find((choice) => choice.value === task.answers[asked.id])?.label ?? String(task.answers[asked.id]))])));
  }
  if (task.completed_by_name) parts.push(element("p", { class: "muted" }, t("Done by {person}, {time}", { person: task.completed_by_name, time: momentText(task.completed) })));
  if (!may("tasks:decide") || !underWay(task)) return element("div", { class: "task-form stack" }, ...parts);
  if (!mayAct(task)) {
    parts.push(element("p", { class: "note" }, task.claimed_by_name ? t("{person} has this task.", { person: task.claimed_by_name })
      : t("This task is for: {roles}.", { roles: task.roles.map(role).join(", ") })));
    return element("div", { class: "task-form stack" }, ...parts);
  }
  const mine = task.claimed_by === context.person.id;
  const form = element("form", { class: "task-form stack", onsubmit: (event) => {
    event.preventDefault();
    act("complete", { answers: readAnswers(task, form) });
  } }, ...parts, ...task.fields.map((asked) => answerField(asked)),
  element("div", { class: "task-actions" },
    mine ? element("button", { type: "button", class: "button small", onclick: () => act("release") }, t("Give back"))
      : element("button", { type: "button", class: "button small", "data-claim": true, onclick: () => act("claim") }, task.claimed_by ? t("Take over") : t("Take")),
    element("button", { class: "button small primary", "data-complete": true }, icon("check"), t("Done"))));
  return form;
}
