// Words of sharing between organisations.

import { t } from "./i18n.js";

const GROUPS = {
  headline: () => t("Headlines"), description: () => t("Descriptions"), explanation: () => t("Reasons and confidence"),
  sources: () => t("Sensors and sources"), evidence: () => t("Evidence"), "personal-evidence": () => t("Evidence about persons"),
  decisions: () => t("Decisions with their reasons"), people: () => t("Names of our people"), conversation: () => t("Chat and shared notes"),
  intelligence: () => t("Threat intelligence, as far as its markings go"),
};

const PLACES = { none: () => t("No places"), coarse: () => t("Places to about a kilometre"), exact: () => t("Exact places") };

const CATEGORIES = {
  Geo: () => t("Ground"), Met: () => t("Weather"), Safety: () => t("Safety"), Security: () => t("Security"),
  Rescue: () => t("Rescue"), Fire: () => t("Fire"), Health: () => t("Health"), Env: () => t("Environment"),
  Transport: () => t("Traffic"), Infra: () => t("Infrastructure"), CBRNE: () => t("CBRNE"), Other: () => t("Other"),
};

const PARTS = {
  notified: () => t("notified"), acknowledged: () => t("acknowledged"), engaged: () => t("engaged"), "stood-down": () => t("stood down"),
};

const ENDINGS = {
  "agreement-ended": () => t("The agreement was ended."), "agreement-expired": () => t("The agreement has run out."),
  "shut-out": () => t("One of the organisations was shut out."), "not-covered": () => t("It is no longer what the agreement covers."),
};

const AGREEMENTS = { proposed: () => t("proposed"), active: () => t("in force"), expired: () => t("run out"), ended: () => t("ended") };

const ACTIONS = { acknowledge: () => t("Acknowledge"), engage: () => t("We are on it"), "stand-down": () => t("Stand down") };

const say = (words) => (name) => words[name]?.() ?? String(name);

export const groupWord = say(GROUPS);
export const placeWord = say(PLACES);
export const categoryWord = say(CATEGORIES);
export const partWord = say(PARTS);
export const endingWord = say(ENDINGS);
export const agreementWord = say(AGREEMENTS);
export const partActionWord = say(ACTIONS);
export const ALL_GROUPS = Object.keys(GROUPS);
export const ALL_CATEGORIES = Object.keys(CATEGORIES);

/** What a view of another organisation's incident is called, also when its title did not cross. */
export function sharedTitle(incident) {
  if (incident.title) return incident.title;
  if (incident.categories) return t("Incident: {categories}", { categories: incident.categories.map(categoryWord).join(", ") });
  return t("Not shared any more");
}
