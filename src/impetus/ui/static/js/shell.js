// The frame of every page: clock, connection, help, announcements, status of the parts.

import { now } from "./clock.js";
import { context, may } from "./context.js";
import { element, find, findAll, setText } from "./dom.js";
import { clockTime, dayText, word } from "./format.js";
import { t } from "./i18n.js";
import { get } from "./http.js";
import { openIncidentDialog } from "./incident_dialog.js";
import { shortcut } from "./shortcuts.js";
import { connectionWord, stream } from "./stream.js";
import { toast } from "./toast.js";

const ANNOUNCED = new Set(["Extreme", "Severe"]);

function startClock() {
  const time = find("#clock [data-time]");
  const date = find("#clock [data-date]");
  const zone = context.zone.split("/").pop().replaceAll("_", " ");
  const tick = () => {
    const moment = now();
    setText(time, clockTime(moment));
    setText(date, `${dayText(moment)} · ${zone}`);
    setTimeout(tick, 1000 - (Date.now() % 1000) + 5);
  };
  tick();
}

function showConnection() {
  const place = find("#connection");
  const chip = find("#queue-live");
  stream.on("state", (state) => {
    place.dataset.state = state;
    setText(place, connectionWord(state));
    if (chip) {
      chip.classList.toggle("live", state === "live");
      setText(chip, state === "live" ? t("LIVE") : t("WAITING"));
    }
  });
}

function showInitials() {
  for (const place of findAll("[data-initials]")) {
    const parts = place.dataset.initials.trim().split(/\s+/);
    setText(place, (parts[0].charAt(0) + (parts.length > 1 ? parts.at(-1).charAt(0) : "")).toUpperCase());
  }
}

async function showParts() {
  const list = find("#parts");
  if (!list || !may("tools:read")) return;
  // Tools have their rows already, with links to their pages.
  const lamps = new Map(findAll("#tool-links [data-part]").map((row) => [row.dataset.part, find("a", row)]));
  const show = (health) => {
    let row = lamps.get(health.part);
    if (!row) {
      row = element("li", {}, element("span", { class: "lamp" }), element("span", { class: "clip" }, health.part),
        element("span", { class: "unseen" }));
      lamps.set(health.part, row);
      list.append(row);
    }
    row.firstChild.dataset.state = health.state;
    row.title = `${word(health.state)}${health.text ? `: ${health.text}` : ""}`;
    setText(row.lastChild, word(health.state));
  };
  stream.on("health", show);
  const status = await get("/status");
  for (const health of status.parts) show(health);
}

function announce() {
  const place = find("#announcer");
  const told = new Set();
  stream.on("alert", (alert) => {
    if (alert.state !== "new" || alert.version !== 1 || !ANNOUNCED.has(alert.severity) || told.has(alert.id)) return;
    told.add(alert.id);
    setText(place, t("New alert, {severity}: {headline}", { severity: word(alert.severity), headline: alert.headline }));
  });
}

function menus() {
  const menu = find("#user-menu");
  document.addEventListener("click", (event) => { if (menu.open && !menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; find("summary", menu).focus(); }
  });
  const help = find("#help-dialog");
  const openHelp = () => { menu.open = false; if (!help.open) help.showModal(); };
  find("[data-help]").addEventListener("click", openHelp);
  shortcut("?", openHelp);
  for (const link of findAll("a[data-go]")) if (link.dataset.go) shortcut(`g ${link.dataset.go}`, () => location.assign(link.href));
  const fresh = find(".bar [data-new-incident]");
  if (fresh) fresh.addEventListener("click", () => openIncidentDialog());
}

document.body.addEventListener("htmx:error", () => toast("bad", t("The server does not answer.")));

startClock();
showInitials();
showConnection();
menus();
announce();
stream.want("alerts", "health");
showParts().catch(() => {});
// After the page's own script, which may want more topics.
setTimeout(() => stream.start());
