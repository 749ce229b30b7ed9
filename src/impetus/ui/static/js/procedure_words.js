// Words of procedures and tasks: roles, states, spans of time.

import { context } from "./context.js";
import { milliseconds } from "./format.js";
import { t } from "./i18n.js";

const ROLES = {
  operator: () => t("Operator"), supervisor: () => t("Supervisor"), "it-security": () => t("IT security"), analyst: () => t("Analyst"),
  planner: () => t("Planner"), "data-protection-officer": () => t("Data protection officer"), administrator: () => t("Administrator"),
};

export function role(name) {
  return ROLES[name]?.() ?? String(name);
}

const STATES = {
  open: () => t("open"), claimed: () => t("taken"), done: () => t("done"), cancelled: () => t("cancelled"),
  running: () => t("under way"), completed: () => t("completed"),
};

export function state(name) {
  return STATES[name]?.() ?? String(name);
}

const ACTIONS = {
  start: () => t("Procedure started"), cancel: () => t("Procedure cancelled"), claim: () => t("Task taken"), release: () => t("Task given back"),
  complete: () => t("Task done"), escalate: () => t("Time is up"), draft: () => t("Message drafted"), send: () => t("Message sent"), request: () => t("Simulation asked for"),
};

export function action(name) {
  return ACTIONS[name]?.() ?? String(name);
}

/** A span of time, short: 45 s, 5 min, 2 h, 3 d. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** What is left until a moment, always as wide: 04:59, 1:20 h, 3 d; with a minus when it has passed. */
export function left(moment) {
  const total = Math.round((milliseconds(moment) - Date.now()) / 1000);
  const seconds = Math.abs(total);
  const sign = total < 0 ? "−" : "";
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${sign}${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  if (seconds < 172_800) return `${sign}${Math.floor(seconds / 3600)}:${two(Math.floor((seconds % 3600) / 60))} h`;
  return `${sign}${Math.floor(seconds / 86_400)} d`;
}

/** How pressing a task is: late, soon (a quarter of its time is left) or nothing. */
export function urgency(task) {
  if (task.state !== "open" && task.state !== "claimed") return "";
  const seconds = (milliseconds(task.due) - Date.now()) / 1000;
  if (seconds < 0 || task.overdue) return "late";
  return seconds < task.deadline_s / 4 ? "soon" : "";
}

export function underWay(task) {
  return task.state === "open" || task.state === "claimed";
}

/** Whether this person may act on a task now. */
export function mayAct(task) {
  const person = context.person ?? {};
  if (!underWay(task) || !(task.roles ?? []).includes(person.role)) return false;
  return !task.claimed_by || task.claimed_by === person.id || (Boolean(task.overdue) && task.roles.indexOf(person.role) > 0);
}
