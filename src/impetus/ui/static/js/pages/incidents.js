// The list of incidents.

import { choice, element, find, icon, setText, settled } from "../dom.js";
import { ago, momentText, word } from "../format.js";
import { all } from "../http.js";
import { openIncidentDialog } from "../incident_dialog.js";
import { t, tn } from "../i18n.js";
import { SEVERITY_RANK } from "../palette.js";
import { partWord, sharedTitle } from "../sharing.js";
import { shortcut } from "../shortcuts.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";

const CLOSED = new Set(["closed", "reviewed"]);
const incidents = new Map();
const shared = new Map();
let scope = "open";
let text = "";

function row(incident) {
  return element("a", { class: "incident-row", href: `/incidents/${encodeURIComponent(incident.id)}`, "data-severity": incident.severity },
    element("span", {}, element("b", {}, incident.title), element("span", { class: "under" }, incident.place?.name ?? incident.summary.slice(0, 120))),
    element("span", { class: "severity-chip chip", "data-severity": incident.severity }, word(incident.severity)),
    element("span", {}, element("span", { class: "state", "data-state": incident.state }, word(incident.state))),
    element("span", { class: "muted" }, tn("{n} alert", "{n} alerts", incident.alerts.length), element("br"), element("span", { class: "faint", title: momentText(incident.opened) }, ago(incident.updated))));
}

/** An incident of another organisation, as far as it is shared with ours. */
function sharedRow(incident) {
  return element("a", { class: "incident-row shared-row", href: `/shared/${encodeURIComponent(incident.id)}`, "data-severity": incident.severity ?? "Unknown" },
    element("span", {}, element("b", {}, sharedTitle(incident)), element("span", { class: "under" }, element("span", { class: "chip shared-chip" }, t("shared by {name}", { name: incident.giver_name })), ` ${incident.place?.name ?? ""}`)),
    element("span", { class: "severity-chip chip", "data-severity": incident.severity ?? "Unknown" }, incident.severity ? word(incident.severity) : "–"),
    element("span", {}, element("span", { class: "state", "data-state": incident.state ?? "closed" }, incident.state ? word(incident.state) : t("closed to us"))),
    element("span", { class: "muted" }, t("we: {state}", { state: partWord(incident.part) }), element("br"), element("span", { class: "faint", title: momentText(incident.since) }, ago(incident.updated))));
}

function shownShares() {
  return [...shared.values()]
    .filter((incident) => (scope === "all" || (!incident.ended && !CLOSED.has(incident.state))) && (!text || `${incident.title ?? ""} ${incident.summary ?? ""} ${incident.giver_name}`.toLowerCase().includes(text)))
    .sort((a, b) => (a.since < b.since ? 1 : -1));
}

const show = settled(() => {
  const list = find("#incidents");
  list.classList.remove("loading");
  const shown = [...incidents.values()]
    .filter((incident) => (scope === "all" || !CLOSED.has(incident.state)) && (!text || `${incident.title} ${incident.summary} ${incident.place?.name ?? ""}`.toLowerCase().includes(text)))
    .sort((a, b) => CLOSED.has(a.state) - CLOSED.has(b.state) || SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] || (a.opened < b.opened ? 1 : -1));
  setText(find("[data-sub]"), tn("{n} incident, worst first", "{n} incidents, worst first", shown.length + shownShares().length));
  const shares = shownShares();
  list.replaceChildren(...(shown.length || shares.length ? [...shares.map(sharedRow), ...shown.map(row)] : [element("div", { class: "empty" }, icon("incident"), element("b", {}, t("No incident here")), element("span", {}, t("Open one from an alert: select it and press n.")))]));
}, 60);

function take(incident) {
  const known = incidents.get(incident.id);
  // What the system adds to an incident leaves its version alone.
  if (known && (known.version > incident.version || (known.version === incident.version && known.updated >= incident.updated))) return;
  incidents.set(incident.id, incident);
  show();
}

function takeShared(incident) {
  const known = shared.get(incident.id);
  if (known && known.version >= incident.version) return;
  shared.set(incident.id, incident);
  show();
}

async function load() {
  await all("/incidents", {}, { limit: 1000, each: (items) => items.forEach(take) });
  const theirs = await all("/shared-incidents", {}, { limit: 500 });
  shared.clear();
  for (const incident of theirs) shared.set(incident.id, incident);
  show();
}

stream.want("incidents");
stream.on("incident", take);
stream.on("shared-incident", takeShared);
stream.on("reset", load);
stream.on("open", () => load().catch(() => {}));
choice(find("#incident-scope"), "scope", (given) => { scope = given; show(); });
find("#incident-search").addEventListener("input", (event) => { text = event.target.value.trim().toLowerCase(); show(); });
find("[data-open-new]")?.addEventListener("click", () => openIncidentDialog());
shortcut("/", () => find("#incident-search").focus());
if (find("[data-open-new]")) shortcut("n", () => openIncidentDialog());
load().catch((problem) => toast("bad", problem.message, problem.hint));
