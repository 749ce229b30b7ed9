// Opening an incident, with or without an alert, and joining an alert to one.

import { ask } from "./dialogs.js";
import { element, find, setText } from "./dom.js";
import { ago, word } from "./format.js";
import { all, newId, post } from "./http.js";
import { t } from "./i18n.js";
import { toast } from "./toast.js";

function tellProblem(problem) {
  toast("bad", problem.message, problem.hint);
}

/** Ask for title and severity and open an incident; returns it, or null. */
export async function openIncidentDialog(alert = null) {
  const dialog = find("#incident-dialog");
  const form = find("form", dialog);
  form.reset();
  form.elements.title.value = alert ? alert.headline.slice(0, 300) : "";
  form.elements.severity.value = alert ? alert.severity : "Unknown";
  setText(find("[data-text]", dialog), alert ? t("The selected alert becomes its first alert.") : t("It starts with no alert; join alerts to it from the queue."));
  const answer = await ask(dialog);
  if (!answer || !answer.title.trim()) return null;
  try {
    const made = await post("/incidents", {
      id: newId(), title: answer.title.trim(), severity: answer.severity, summary: answer.summary,
      alerts: alert ? [alert.id] : [],
    });
    const incident = made.incident ?? made;
    toast("good", t("Incident opened: {title}", { title: incident.title }));
    if (!alert) location.assign(`/incidents/${incident.id}`);
    return incident;
  } catch (problem) {
    tellProblem(problem);
    return null;
  }
}

const JOINABLE = new Set(["candidate", "open", "contained"]);

/** Ask which incident an alert belongs to and join it; returns the incident, or null. */
export async function joinIncidentDialog(alert) {
  const dialog = find("#join-dialog");
  const list = find("[data-list]", dialog);
  setText(find("[data-text]", dialog), alert.headline);
  let incidents;
  try {
    incidents = (await all("/incidents", {}, { limit: 200 }))
      .filter((incident) => JOINABLE.has(incident.state) && incident.id !== alert.incident);
  } catch (problem) {
    tellProblem(problem);
    return null;
  }
  if (incidents.length === 0) {
    toast("warn", alert.incident ? t("No other incident is open.") : t("No incident is open."), t("Press n to open one with this alert."));
    return null;
  }
  list.replaceChildren(...incidents.map((incident, number) => element("label", { "data-severity": incident.severity },
    element("input", { type: "radio", name: "incident", value: incident.id, checked: number === 0 }),
    element("span", { class: "severity grow" }, element("span", { class: "strong clip" }, incident.title)),
    element("span", { class: "muted" }, `${word(incident.state)} · ${ago(incident.updated)}`))));
  const answer = await ask(dialog);
  const chosen = answer && incidents.find((incident) => incident.id === answer.incident);
  if (!chosen) return null;
  try {
    await post(`/incidents/${chosen.id}/decisions`, { id: newId(), action: "join", version: chosen.version, alert: alert.id });
    toast("good", t("Joined to {title}", { title: chosen.title }));
    return chosen;
  } catch (problem) {
    tellProblem(problem);
    return null;
  }
}
