// Decisions in words: who did what, when and why.

import { element } from "./dom.js";
import { ago, momentText } from "./format.js";
import { t } from "./i18n.js";
import { colour } from "./palette.js";

const DONE = {
  acknowledge: (who) => t("{who} acknowledged", { who }), confirm: (who) => t("{who} confirmed", { who }),
  dismiss: (who) => t("{who} dismissed", { who }), escalate: (who) => t("{who} escalated", { who }),
  reopen: (who) => t("{who} reopened", { who }), open: (who) => t("{who} opened the incident", { who }),
  contain: (who) => t("{who}: contained", { who }), close: (who) => t("{who} closed", { who }),
  review: (who) => t("{who} reviewed", { who }), join: (who) => t("{who} joined an alert", { who }),
  separate: (who) => t("{who} took an alert out", { who }), note: (who) => t("{who} noted", { who }),
  release: (who) => t("{who} gave it back to the queue", { who }), classify: (who) => t("{who} classified", { who }),
  merge: (who) => t("{who} merged two incidents", { who }),
};

const TONE = {
  acknowledge: "accent", confirm: "good", dismiss: "ink-4", escalate: "severity-extreme", reopen: "warn",
  open: "severity-severe", contain: "good", close: "ink-4", review: "ink-4", join: "accent", separate: "ink-4", note: "ink-2",
};

/** A decision as a sentence without its time. */
export function sentence(decision) {
  if (decision.given_to_name) return t("{who} gave it to {name}", { who: decision.person_name, name: decision.given_to_name });
  if (decision.action === "separate" && decision.incident) return t("{who} undid a merger", { who: decision.person_name });
  const made = DONE[decision.action];
  return made ? made(decision.person_name) : `${decision.person_name}: ${decision.action}`;
}

/** One line of a timeline; the colour of its dot is set by script, which the page's policy allows. */
export function line(moment, text, { reason = "", tone = "accent", extra = null } = {}) {
  const dot = element("span", { class: "dot", "aria-hidden": "true" });
  dot.style.setProperty("--dot", colour(tone));
  return element("li", {}, element("time", { datetime: moment, title: ago(moment) }, momentText(moment)), dot,
    element("span", { class: "what" }, text, extra, reason ? element("span", { class: "reason" }, `“${reason}”`) : null));
}

export function decisionLine(decision, extra = null) {
  return line(decision.decided, sentence(decision), { reason: decision.reason, tone: TONE[decision.action] ?? "accent", extra });
}

const SINCE = {
  acknowledged: (who, when) => t("{who} acknowledged this {when}.", { who, when }),
  confirmed: (who, when) => t("{who} confirmed this {when}.", { who, when }),
  dismissed: (who, when) => t("{who} dismissed this {when}.", { who, when }),
  escalated: (who, when) => t("{who} escalated this {when}.", { who, when }),
  new: (who, when) => t("{who} reopened this {when}.", { who, when }),
};

/** What somebody else did in the meantime, in words. */
export function conflictText(alert) {
  const last = alert.history?.at(-1);
  const who = last?.person_name ?? alert.handled_by ?? t("Somebody else");
  return SINCE[alert.state]?.(who, ago(last?.decided ?? alert.updated)) ?? t("{who} changed this.", { who });
}
