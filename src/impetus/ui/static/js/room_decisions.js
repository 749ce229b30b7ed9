// Classifying an incident, merging it into another one, undoing that, and splitting alerts off into a new one.

import { ask, askReason } from "./dialogs.js";
import { element, find, findAll } from "./dom.js";
import { ago, percent, word } from "./format.js";
import { all, newId, post } from "./http.js";
import { t, tn } from "./i18n.js";
import { toast } from "./toast.js";

const RUNNING = new Set(["candidate", "open", "contained"]);
const THREATS = { specific: () => t("specific"), evolving: () => t("evolving"), undetermined: () => t("undetermined") };

export function threatWord(name) {
  return THREATS[name]?.() ?? String(name);
}

/** What a person said of an incident, in words. */
export function classificationText(said) {
  const parts = [];
  if (said?.threat_class) parts.push(t("threat {class}", { class: threatWord(said.threat_class) }));
  if (said?.severity) parts.push(t("severity {severity}", { severity: word(said.severity) }));
  if (said?.confidence !== null && said?.confidence !== undefined) parts.push(t("{percent} sure", { percent: percent(said.confidence) }));
  return parts.join(" · ");
}

/** Send a decision on an incident; false, with a word to the person, if it was refused. */
export async function decideOn(incident, body) {
  try {
    return await post(`/incidents/${encodeURIComponent(incident.id)}/decisions`, { id: newId(), version: incident.version, ...body });
  } catch (problem) {
    if (problem.status === 409) toast("warn", problem.message, t("Nothing was overwritten. Decide again if you still want to."));
    else toast("bad", problem.message, problem.hint);
    return null;
  }
}

export async function classify(incident) {
  const dialog = find("#classify-dialog");
  const form = find("form", dialog);
  form.reset();
  form.elements.threat_class.value = incident.threat_class;
  form.elements.severity.value = incident.severity;
  const before = incident.confidence === null ? "" : String(Math.round(incident.confidence * 100));
  form.elements.confidence.value = before;
  const answer = await ask(dialog);
  if (!answer) return null;
  const said = { threat_class: answer.threat_class, severity: answer.severity };
  if (answer.confidence !== "") said.confidence = Number(answer.confidence) / 100;
  // Only what changed is put under the person's name; saying the same again confirms all of it.
  const changed = Object.fromEntries(Object.entries(said).filter(([name, value]) => (name === "confidence" ? answer.confidence !== before : value !== incident[name])));
  return decideOn(incident, { action: "classify", reason: answer.reason.trim(), classification: Object.keys(changed).length ? changed : said });
}

export async function merge(incident) {
  const dialog = find("#merge-dialog");
  let others;
  try {
    others = (await all("/incidents", {}, { limit: 500 })).filter((one) => one.id !== incident.id && !one.merged_into && RUNNING.has(one.state));
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return null;
  }
  if (!others.length) {
    toast("warn", t("There is no other incident under way."));
    return null;
  }
  find("form", dialog).reset();
  find("[data-list]", dialog).replaceChildren(...others.map((one, number) => element("label", { "data-severity": one.severity },
    element("input", { type: "radio", name: "incident", value: one.id, required: true, checked: number === 0 }),
    element("span", { class: "severity grow" }, element("span", { class: "strong clip" }, one.title)),
    element("span", { class: "muted" }, `${tn("{n} alert", "{n} alerts", one.alerts.length)} · ${ago(one.updated)}`))));
  const answer = await ask(dialog);
  return answer && decideOn(incident, { action: "merge", reason: answer.reason.trim(), incident: answer.incident });
}

/** Give back what `merged` brought into the incident that took it in. */
export async function undoMerger(merged) {
  const reason = await askReason({ title: t("Undo the merger"), text: merged.title, yes: t("Undo the merger"), required: true });
  return reason ? decideOn(merged, { action: "separate", reason }) : null;
}

/** Take alerts out and open an incident on them; returns the new incident. What is taken out and then finds no new
 * incident waits in the queue. */
export async function split(incident, alerts) {
  const dialog = find("#split-dialog");
  const form = find("form", dialog);
  form.reset();
  find("[data-list]", dialog).replaceChildren(...alerts.map((alert) => element("label", { "data-severity": alert.severity },
    element("input", { type: "checkbox", name: "alert", value: alert.id }),
    element("span", { class: "severity grow" }, element("span", { class: "strong clip" }, alert.headline)),
    element("span", { class: "muted" }, alert.place?.name ?? ""))));
  const chosen = () => findAll("[name=alert]:checked", form).map((box) => box.value);
  const title = form.elements.title;
  let named = false;
  const check = () => {
    const count = chosen().length;
    find("[name=alert]", form).setCustomValidity(count === 0 ? t("Choose at least one alert.") : count === alerts.length ? t("At least one alert stays.") : "");
    if (!named) title.value = alerts.find((one) => one.id === chosen()[0])?.headline.slice(0, 300) ?? "";
  };
  title.oninput = () => { named = true; };
  find("[data-list]", dialog).onchange = check;
  check();
  const answer = await ask(dialog);
  if (!answer) return null;
  const reason = answer.reason.trim();
  let now = incident;
  for (const alert of chosen()) {
    const taken = await decideOn(now, { action: "separate", reason, alert });
    if (!taken) return null;
    now = taken.incident;
  }
  try {
    const made = await post("/incidents", { id: newId(), title: answer.title.trim(), summary: reason, alerts: chosen() });
    toast("good", t("Incident opened: {title}", { title: made.title }));
    return made;
  } catch (refused) {
    toast("bad", refused.message, t("The alerts that were taken out wait in the queue."));
    return null;
  }
}
