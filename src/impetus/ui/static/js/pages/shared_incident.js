// The room of an incident that another organisation shares: what crosses, and what we do about it.

import { AlertMap } from "../citymap.js";
import { conversation } from "../conversation.js";
import { may } from "../context.js";
import { askReason } from "../dialogs.js";
import { element, find, setText, settled } from "../dom.js";
import { openEvidence } from "../evidence.js";
import { clockTime, momentText, word } from "../format.js";
import { line } from "../history.js";
import { get, newId, post } from "../http.js";
import { t, tn } from "../i18n.js";
import { categoryWord, endingWord, partActionWord, partWord, sharedTitle } from "../sharing.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";

const id = find("#room").dataset.share;
const path = `/shared-incidents/${encodeURIComponent(id)}`;
const map = new AlertMap(find(".city .map-frame"));
map.showAll();
const words = conversation(find(".about"), id);
let room = null;
let actions = [];
let fitted = false;

const slot = (name) => find(`[data-slot="${name}"]`);

async function decide(action) {
  const reason = await askReason({ title: partActionWord(action), text: t("What you write goes into the timeline of both sides, as agreed."), yes: partActionWord(action) });
  if (reason === null) return;
  try {
    await post(`${path}/decisions`, { id: newId(), action, reason, version: room.incident.version });
  } catch (problem) {
    toast(problem.status === 409 ? "warn" : "bad", problem.message, problem.hint);
  }
  await load();
}

async function openTheirs(evidence) {
  const opened = await openEvidence(evidence.sha256, evidence.title, null, `${path}/evidence/${evidence.sha256}`);
  if (opened) open(opened.address, "_blank", "noopener");
}

function showHead() {
  const { incident } = room;
  const title = sharedTitle(incident);
  setText(slot("title"), title);
  document.title = `${title} · impetus`;
  setText(slot("giver"), t("shared by {name}", { name: incident.giver_name }));
  setText(slot("severity"), incident.severity ? word(incident.severity) : "–");
  slot("severity").dataset.severity = find("#room-head").dataset.severity = incident.severity ?? "Unknown";
  setText(slot("state"), incident.state ? word(incident.state) : t("closed to us"));
  slot("state").dataset.state = incident.state ?? "closed";
  slot("ended").hidden = !incident.ended;
  setText(slot("ended"), incident.ended ? t("Not shared any more since {when}. {why} What we decided and wrote stays here.", { when: momentText(incident.ended), why: endingWord(incident.ending) }) : "");
  slot("actions").replaceChildren(...(may("incidents:decide") ? actions : []).map((action, number) => element("button", {
    type: "button", class: number === 0 ? "button small primary" : "button small", "data-action": action, onclick: () => decide(action),
  }, partActionWord(action))));
}

function showAbout() {
  const { incident } = room;
  setText(slot("part"), t("we: {state}", { state: partWord(incident.part) }));
  slot("summary").hidden = !incident.summary;
  setText(slot("summary"), incident.summary ?? "");
  setText(slot("since"), momentText(incident.since));
  setText(slot("categories"), (incident.categories ?? []).map(categoryWord).join(", "));
  setText(slot("place"), incident.place?.name ?? "");
}

function showAlerts() {
  setText(slot("alert-count"), tn("{n} alert", "{n} alerts", room.alerts.length));
  find("#room-alerts").replaceChildren(...room.alerts.map((alert) => element("tr", {},
    element("td", {}, element("span", { class: "severity", "data-severity": alert.severity }, word(alert.severity))),
    element("td", { class: "mono muted" }, clockTime(alert.received)),
    element("td", {}, alert.headline ?? categoryWord(alert.category), alert.place?.name ? element("span", { class: "faint" }, ` · ${alert.place.name}`) : null),
    element("td", {}, element("span", { class: "state", "data-state": alert.state }, word(alert.state)), alert.handled_by ? element("span", { class: "faint" }, ` ${alert.handled_by}`) : null),
    element("td", {}, ...(alert.evidence ?? []).map((one) => element("button", { type: "button", class: "button quiet small", onclick: () => openTheirs(one) }, one.title))))));
  map.clearAlerts();
  for (const alert of room.alerts) map.putAlert({ ...alert, headline: alert.headline ?? categoryWord(alert.category) });
  if (!fitted) { fitted = true; map.fit(); }
}

const TOLD = {
  onset: (entry) => entry.headline ?? t("What was noticed began"), alert: (entry) => t("Alert: {headline}", { headline: entry.headline ?? word(entry.severity) }),
  note: (entry, who) => (entry.visibility === "ours" ? t("{who} noted, for us only", { who }) : t("{who} noted", { who })),
  decision: (entry, who) => `${who}: ${entry.state_after in { notified: 1, acknowledged: 1, engaged: 1, "stood-down": 1 } ? partWord(entry.state_after) : word(entry.state_after)}`,
};

function showStory() {
  const { incident } = room;
  const name = (organisation) => (organisation === incident.giver ? incident.giver_name : t("we"));
  find("#story").replaceChildren(...room.timeline.toReversed().map((entry) => line(entry.time,
    TOLD[entry.kind](entry, entry.person_name ? `${entry.person_name} (${name(entry.organisation)})` : name(entry.organisation)),
    { reason: entry.text ?? "", tone: entry.kind === "decision" ? (entry.organisation === incident.giver ? "severity-severe" : "good") : entry.severity ? `severity-${entry.severity.toLowerCase()}` : "accent" })));
}

async function load() {
  const answer = await get(path);
  room = answer.room;
  actions = answer.actions;
  showHead();
  showAbout();
  showAlerts();
  showStory();
}

const again = settled(() => { load().catch(() => {}); words.load().catch(() => {}); }, 100);
stream.want("incidents");
stream.on("shared-incident", (changed) => { if (changed.id === id && changed.version > (room?.incident.version ?? 0)) again(); });
stream.on("reset", again);
stream.on("open", again);

await map.start().catch(() => {});
await load().catch((problem) => toast("bad", problem.message, problem.hint));
await words.load().catch(() => {});
