// Making or changing an escalation chain: for what, and who is told in which order until somebody acknowledges.

import { word } from "../format.js";
import { t } from "../i18n.js";
import { ALL_CATEGORIES, categoryWord } from "../sharing.js";
import { input, openForm, rows, select, side, slugOf, tick, ticks } from "./form.js";

const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor", "Unknown"];
const STATES = {
  alert: ["new", "acknowledged", "escalated", "confirmed"],
  incident: ["candidate", "open", "contained"],
};

function rule(given) {
  const subject = select(t("About"), given.subject, [["alert", t("alerts")], ["incident", t("incidents")]]);
  const severity = select(t("From which severity"), given.lowest_severity, SEVERITIES.map((one) => [one, one === "Unknown" ? t("Every severity") : word(one)]));
  const detail = select(t("Tells"), given.detail, [["minimal", t("that there is something")], ["headline", t("headline and place")], ["full", t("all of it")]]);
  const states = new Map(Object.entries(STATES).map(([kind, names]) => [kind, ticks(t("While it is"), given.states.filter((one) => names.includes(one)), names.map((one) => [one, word(one)]))]));
  const categories = ticks(t("Only these categories; none for all"), [...given.categories], ALL_CATEGORIES.map((one) => [one, categoryWord(one)]), { whole: true });
  const show = () => {
    for (const [kind, field] of states) field.node.hidden = kind !== subject.value();
    categories.node.hidden = subject.value() !== "alert";
  };
  subject.field.addEventListener("change", show);
  show();
  return { node: side(subject, severity, detail, ...states.values(), categories), value: () => {
    const kind = subject.value();
    const chosen = states.get(kind).value();
    if (!chosen.length) throw new Error(t("Say in which states people are called."));
    return { ...given, subject: kind, lowest_severity: severity.value(), detail: detail.value(), states: chosen, categories: kind === "alert" ? categories.value() : [] };
  } };
}

function step(given, { rosters, channels }) {
  const on = ticks(t("Whoever is on duty in"), [...given.rosters], rosters.map((one) => [one.roster.id, one.roster.title]));
  const by = ticks(t("and always by"), [...given.channels], channels.map((one) => [one.channel.id, one.channel.title]));
  const wait = input(t("Then wait, in s"), given.wait_s, { type: "number", min: 10, max: 86_400, step: "any", required: true });
  return { node: side(on, by, wait), value: () => {
    const value = { ...given, rosters: on.value(), channels: by.value(), wait_s: wait.value() };
    if (!value.rosters.length && !value.channels.length) throw new Error(t("Each step names a roster or a channel."));
    return value;
  } };
}

export function editChain(entry, plans) {
  const chain = entry?.chain ?? { title: "", active: true, rules: [], steps: [], rounds: 1 };
  const title = input(t("Title"), chain.title, { required: true, maxlength: 300 });
  const rounds = input(t("Rounds, while nobody acknowledges"), chain.rounds, { type: "number", min: 1, max: 10, required: true });
  const active = tick(t("In use"), chain.active);
  const rules = rows(t("For what"), chain.rules, {
    add: t("Add a rule"), least: 1, make: rule,
    fresh: () => ({ subject: "alert", lowest_severity: "Severe", detail: "headline", states: ["new"], categories: [] }),
  });
  const steps = rows(t("Who is told, one step after the other"), chain.steps, {
    add: t("Add a step"), least: 1, make: (given) => step(given, plans), fresh: () => ({ rosters: [], channels: [], wait_s: 300 }),
  });
  return openForm({
    title: entry ? t("Change the chain") : t("New escalation chain"), wide: true, path: "/escalations", parts: [side(title, rounds, active), rules, steps],
    body: () => ({ version: entry?.version ?? 0, chain: {
      ...chain, id: chain.id ?? slugOf(title.value(), plans.chains.map((one) => one.chain.id)), title: title.value(), active: active.value(), rounds: rounds.value(), rules: rules.value(), steps: steps.value(),
    } }),
    removable: entry ? `/escalations/${encodeURIComponent(chain.id)}` : null,
  });
}
