// The room of one incident: what happened, where, which alerts belong to it, who took part.

import { AlertMap } from "../citymap.js";
import { may } from "../context.js";
import { askReason } from "../dialogs.js";
import { element, find, icon, setText, settled } from "../dom.js";
import { clockTime, momentText, percent, word } from "../format.js";
import { decisionLine, line } from "../history.js";
import { get, newId, post } from "../http.js";
import { t, tn } from "../i18n.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";
import { RoomMore } from "../room.js";
import { classificationText, classify, decideOn, merge, split, threatWord, undoMerger } from "../room_decisions.js";
import { shortcut } from "../shortcuts.js";
import { together } from "../together.js";

const id = find("#room").dataset.incident;
const path = `/incidents/${encodeURIComponent(id)}`;
const map = new AlertMap(find(".city .map-frame"));
map.showAll();
const more = new RoomMore(id, map);
let incident = null;
let alerts = new Map();
let timeline = [];
let merged = [];
let actions = [];
let fitted = false;

const NOTE_TRIES = 5;
const STEPS = { open: () => t("Open it"), contain: () => t("Contain"), close: () => t("Close"), reopen: () => t("Reopen"), review: () => t("Review") };
const BY_HAND = {
  classify: { key: "c", name: () => t("Classify"), act: () => classify(incident) },
  merge: { key: "m", name: () => t("Merge …"), act: () => merge(incident) },
  split: { key: "s", name: () => t("Split …"), act: splitOff },
};

function slot(name) {
  return find(`[data-slot="${name}"]`);
}

async function decide(action, more = {}) {
  await decideOn(incident, { action, ...more });
  await load();
}

/** Write a note. It overwrites nothing, so it is sent again on what others changed meanwhile; true when it is kept. */
async function note(reason) {
  const id = newId();
  for (let tried = 1; ; tried += 1) {
    try {
      await post(`${path}/decisions`, { id, action: "note", reason, version: incident.version });
      return true;
    } catch (problem) {
      if (problem.status !== 409 || tried === NOTE_TRIES) {
        toast("bad", problem.message, problem.hint);
        return false;
      }
      await load();
    }
  }
}

async function ask(action) {
  const needed = actions.find((one) => one.action === action).needs_reason;
  const reason = await askReason({ title: `${STEPS[action]()}: ${incident.title}`, text: t("What you write goes into the timeline."), yes: STEPS[action](), required: needed });
  if (reason !== null) await decide(action, { reason });
}

async function splitOff() {
  const made = await split(incident, byHarm());
  if (made) location.assign(`/incidents/${encodeURIComponent(made.id)}`);
  return made;
}

async function byHand(action) {
  if (possible(action) && await BY_HAND[action].act()) await load();
}

/** Whether an action is possible now; to split is to separate some of several alerts. */
function possible(action) {
  if (!incident || !may("incidents:decide")) return false;
  if (action === "split") return possible("separate") && !incident.merged_into && alerts.size > 1;
  return actions.some((one) => one.action === action);
}

function byHarm() {
  return [...alerts.values()].sort((a, b) => b.harm - a.harm);
}

function showHead() {
  setText(slot("title"), incident.title);
  setText(slot("severity"), word(incident.severity));
  slot("severity").dataset.severity = incident.severity;
  find("#room-head").dataset.severity = incident.severity;
  slot("state").dataset.state = incident.state;
  setText(slot("state"), word(incident.state));
  const steps = Object.keys(STEPS).filter(possible);
  slot("actions").replaceChildren(
    ...Object.entries(BY_HAND).filter(([action]) => possible(action)).map(([action, { key, name }]) => element("button", {
      type: "button", class: "button small quiet", "data-action": action, onclick: () => byHand(action),
    }, name(), element("kbd", {}, key.toUpperCase()))),
    ...steps.map((action, number) => element("button", {
      type: "button", class: number === 0 ? "button small primary" : "button small", "data-action": action, onclick: () => ask(action),
    }, STEPS[action]())));
}

/** Where this incident went, and which came into it. */
function showMergers() {
  slot("merged-into").hidden = !incident.merged_into;
  find("a", slot("merged-into")).href = `/incidents/${encodeURIComponent(incident.merged_into ?? "")}`;
  find("button", slot("merged-into")).hidden = !possible("separate");
  slot("merged-part").hidden = merged.length === 0;
  slot("merged").replaceChildren(...merged.map((one) => element("li", {},
    element("a", { class: "clip", href: `/incidents/${encodeURIComponent(one.id)}` }, one.title),
    may("incidents:decide") ? element("button", { type: "button", class: "button small quiet", "data-undo": one.id, onclick: () => undo(one) }, t("Undo")) : null)));
}

async function undo(one) {
  if (await undoMerger(one)) await load();
}

function showAbout() {
  const summary = slot("summary");
  summary.hidden = !incident.summary;
  setText(summary, incident.summary);
  setText(slot("opened"), momentText(incident.opened));
  setText(slot("updated"), momentText(incident.updated));
  setText(slot("threat"), threatWord(incident.threat_class));
  setText(slot("sure"), incident.confidence === null ? "–" : percent(incident.confidence));
  const said = timeline.findLast((decision) => decision.action === "classify" && decision.subject === id);
  slot("classified").hidden = !said;
  setText(slot("classified"), said ? `${said.person_name}, ${momentText(said.decided)}: “${said.reason}”` : "");
  setText(slot("place"), incident.place?.name ?? "");
  const people = [...new Set(timeline.map((decision) => decision.person_name))];
  slot("people").replaceChildren(...people.map((name) => element("span", { class: "person" },
    element("i", { "aria-hidden": "true" }, name.split(/\s+/).map((part) => part.charAt(0)).slice(0, 2).join("").toUpperCase()), name)));
}

function showAlerts() {
  const shown = byHarm();
  setText(slot("alert-count"), tn("{n} alert", "{n} alerts", shown.length));
  find("#room-alerts").replaceChildren(...shown.map((alert) => element("tr", {},
    element("td", {}, element("span", { class: "severity", "data-severity": alert.severity }, word(alert.severity))),
    element("td", { class: "mono muted" }, clockTime(alert.received)),
    element("td", {}, element("a", { href: `/#${encodeURIComponent(alert.id)}` }, alert.headline), element("span", { class: "faint" }, alert.place?.name ? ` · ${alert.place.name}` : "")),
    element("td", { class: "mono muted" }, alert.confidence.toFixed(2)),
    element("td", {}, element("span", { class: "state", "data-state": alert.state }, word(alert.state)), alert.handled_by ? element("span", { class: "faint by" }, alert.handled_by) : null),
    element("td", {}, possible("separate") ? element("button", { type: "button", class: "button small quiet icon-only", "aria-label": t("Take the alert out of the incident"), title: t("Take the alert out of the incident"), onclick: () => separate(alert) }, icon("close")) : null))));
  map.clearAlerts();
  for (const alert of shown) map.putAlert(alert);
  if (!fitted) { fitted = true; map.fit(); }
}

async function separate(alert) {
  const reason = await askReason({ title: t("Take the alert out of the incident"), text: alert.headline, yes: t("Take out") });
  if (reason !== null) await decide("separate", { reason, alert: alert.id });
}

function showStory() {
  const lines = timeline.map((decision) => [decision.decided, decisionLine(decision, about(decision))]);
  for (const alert of alerts.values()) lines.push([alert.onset, line(alert.onset, alert.headline, { tone: `severity-${alert.severity.toLowerCase()}` })]);
  lines.sort((a, b) => (a[0] < b[0] ? 1 : -1));
  find("#story").replaceChildren(...lines.map(([, made]) => made));
}

function about(decision) {
  if (decision.classification) return element("span", { class: "muted" }, ` · ${classificationText(decision.classification)}`);
  const alert = decision.alert ? alerts.get(decision.alert) : decision.subject_kind === "alert" ? alerts.get(decision.subject) : null;
  return alert ? element("span", { class: "muted" }, ` · ${alert.headline}`) : null;
}

async function load() {
  const room = await get(path);
  if (incident && room.incident.version < incident.version) return; // a later answer was here first
  incident = room.incident;
  alerts = new Map(room.alerts.map((alert) => [alert.id, alert]));
  // Entries of the timeline are decisions, or wrap one.
  timeline = (room.timeline ?? []).map((entry) => entry.assessment ?? entry.decision ?? entry).filter((entry) => entry.action && entry.person_name);
  merged = room.merged;
  actions = room.actions;
  showHead();
  showMergers();
  showAbout();
  showAlerts();
  showStory();
  more.show(incident, [...alerts.values()]);
}

const again = settled(() => load().catch(() => {}), 150);

stream.want("incidents", "alerts");
stream.on("incident", (changed) => { if (changed.id === id) again(); });
stream.on("alert", (alert) => { if (alerts.has(alert.id) || alert.incident === id) again(); });
stream.on("assessment", (decision) => { if (decision.subject === id || alerts.has(decision.subject)) again(); });
if (may("results:read")) {
  stream.want("results");
  stream.on("result", settled(() => more.results().catch(() => {}), 300));
}
stream.on("reset", again);
stream.on("open", again); // also at first: something may have happened since the page was fetched

const ready = map.start().catch(() => {}).then(load).catch((problem) => toast("bad", problem.message, problem.hint));

find("#note-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = find("#note");
  const text = field.value.trim();
  await ready;
  if (!text || !incident || !await note(text)) return;
  // What was written meanwhile stays.
  if (field.value.trim() === text) field.value = "";
  await load();
});
find("button", slot("merged-into")).addEventListener("click", () => undo(incident));
for (const [action, { key }] of Object.entries(BY_HAND)) shortcut(key, () => byHand(action));
shortcut("w", () => find("#note")?.focus());

map.addEventListener("alert", (event) => location.assign(`/#${encodeURIComponent(event.detail)}`));
map.addEventListener("sensor", (event) => location.assign(`/sensors?datastream=${encodeURIComponent(event.detail)}`));
together(id);
await ready;
