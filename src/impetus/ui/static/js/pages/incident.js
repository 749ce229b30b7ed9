// The room of one incident: what happened, where, which alerts belong to it, who took part.

import { AlertMap } from "../citymap.js";
import { may } from "../context.js";
import { askReason } from "../dialogs.js";
import { element, find, icon, setText, settled } from "../dom.js";
import { clockTime, momentText, word } from "../format.js";
import { decisionLine, line } from "../history.js";
import { get, newId, post } from "../http.js";
import { t, tn } from "../i18n.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";
import { RoomMore } from "../room.js";
import { together } from "../together.js";

const id = find("#room").dataset.incident;
const path = `/incidents/${encodeURIComponent(id)}`;
const map = new AlertMap(find(".city .map-frame"));
map.showAll();
const more = new RoomMore(id, map);
let incident = null;
let alerts = new Map();
let timeline = [];
let actions = null;
let fitted = false;

const NAMES = { open: () => t("Open it"), contain: () => t("Contain"), close: () => t("Close"), reopen: () => t("Reopen"), review: () => t("Review") };
const POSSIBLE = { candidate: ["open", "close"], open: ["contain", "close"], contained: ["close", "reopen"], closed: ["review", "reopen"], reviewed: ["reopen"] };
const THREATS = { specific: () => t("specific"), evolving: () => t("evolving"), undetermined: () => t("undetermined") };

function slot(name) {
  return find(`[data-slot="${name}"]`);
}

async function decide(action, { reason = "", alert = null } = {}) {
  try {
    await post(`${path}/decisions`, { id: newId(), action, reason, version: incident.version, ...(alert ? { alert } : {}) });
  } catch (problem) {
    if (problem.status === 409) toast("warn", problem.message, t("Nothing was overwritten. Decide again if you still want to."));
    else toast("bad", problem.message, problem.hint);
  }
  await load();
}

async function ask(action) {
  const needed = actions?.find((one) => one.action === action)?.needs_reason ?? action === "reopen";
  const reason = await askReason({ title: `${NAMES[action]()}: ${incident.title}`, text: t("What you write goes into the timeline."), yes: NAMES[action](), required: needed });
  if (reason !== null) await decide(action, { reason });
}

function showHead() {
  setText(slot("title"), incident.title);
  setText(slot("severity"), word(incident.severity));
  slot("severity").dataset.severity = incident.severity;
  slot("state").dataset.state = incident.state;
  setText(slot("state"), word(incident.state));
  if (!may("incidents:decide")) return;
  const possible = (actions?.map((one) => one.action) ?? POSSIBLE[incident.state] ?? []).filter((action) => action in NAMES);
  slot("actions").replaceChildren(...possible.map((action, number) => element("button", {
    type: "button", class: number === 0 ? "button small primary" : "button small", "data-action": action, onclick: () => ask(action),
  }, NAMES[action]())));
}

function showAbout() {
  const summary = slot("summary");
  summary.hidden = !incident.summary;
  setText(summary, incident.summary);
  setText(slot("opened"), momentText(incident.opened));
  setText(slot("updated"), momentText(incident.updated));
  setText(slot("threat"), THREATS[incident.threat_class]?.() ?? incident.threat_class);
  setText(slot("place"), incident.place?.name ?? "");
  const people = [...new Set(timeline.map((decision) => decision.person_name))];
  slot("people").replaceChildren(...people.map((name) => element("span", { class: "person" },
    element("i", { "aria-hidden": "true" }, name.split(/\s+/).map((part) => part.charAt(0)).slice(0, 2).join("").toUpperCase()), name)));
}

function showAlerts() {
  const shown = [...alerts.values()].sort((a, b) => b.harm - a.harm);
  setText(slot("alert-count"), tn("{n} alert", "{n} alerts", shown.length));
  find("#room-alerts").replaceChildren(...shown.map((alert) => element("tr", {},
    element("td", {}, element("span", { class: "severity", "data-severity": alert.severity }, word(alert.severity))),
    element("td", { class: "mono muted" }, clockTime(alert.received)),
    element("td", {}, element("a", { href: `/#${encodeURIComponent(alert.id)}` }, alert.headline), element("span", { class: "faint" }, alert.place?.name ? ` · ${alert.place.name}` : "")),
    element("td", { class: "mono muted" }, alert.confidence.toFixed(2)),
    element("td", {}, element("span", { class: "state", "data-state": alert.state }, word(alert.state)), alert.handled_by ? element("span", { class: "faint" }, ` ${alert.handled_by}`) : null),
    element("td", {}, may("incidents:decide") ? element("button", { type: "button", class: "button small quiet icon-only", "aria-label": t("Take the alert out of the incident"), title: t("Take the alert out of the incident"), onclick: () => separate(alert) }, icon("close")) : null))));
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
  const alert = decision.alert ? alerts.get(decision.alert) : decision.subject_kind === "alert" ? alerts.get(decision.subject) : null;
  return alert ? element("span", { class: "muted" }, ` · ${alert.headline}`) : null;
}

async function load() {
  const room = await get(path);
  incident = room.incident;
  alerts = new Map(room.alerts.map((alert) => [alert.id, alert]));
  // Entries of the timeline are decisions, or wrap one.
  timeline = (room.timeline ?? []).map((entry) => entry.assessment ?? entry.decision ?? entry).filter((entry) => entry.action && entry.person_name);
  actions = room.actions ?? null;
  showHead();
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
stream.on("reset", again);
stream.on("open", (opened) => { if (opened.again) again(); });

find("#note-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = find("#note");
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  await decide("note", { reason: text });
});

map.addEventListener("alert", (event) => location.assign(`/#${encodeURIComponent(event.detail)}`));
together(id);
await map.start().catch(() => {});
map.addEventListener("sensor", (event) => location.assign(`/sensors?datastream=${encodeURIComponent(event.detail)}`));
await load().catch((problem) => toast("bad", problem.message, problem.hint));
