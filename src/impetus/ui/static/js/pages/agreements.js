// Agreements with other organisations: what crosses, approving, ending, proposing.

import { cityMap } from "../basemap.js";
import { may } from "../context.js";
import { askReason } from "../dialogs.js";
import { element, find, findAll, icon, setText, settled } from "../dom.js";
import { momentText, word } from "../format.js";
import { all, get, newId, post } from "../http.js";
import { t, tn } from "../i18n.js";
import { ALL_GROUPS, agreementWord, categoryWord, groupWord, placeWord, sharedTitle } from "../sharing.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";

const STATES = { proposed: "candidate", active: "confirmed", expired: "closed", ended: "closed" };
const session = await get("/session");
const own = session.tenant ?? session.user?.tenant;
const partners = new Map();
const agreements = new Map();
const path = (id, step) => `/agreements/${encodeURIComponent(id)}/${step}`;
const nameOf = (id) => (id === own ? t("We") : partners.get(id) ?? id);

async function act(work) {
  try {
    await work();
  } catch (problem) {
    toast(problem.status === 409 ? "warn" : "bad", problem.message, problem.hint);
  }
  await load();
}

async function end(agreement) {
  const reason = await askReason({ title: t("End the agreement now"), text: t("What is shared under it is closed to the other side at once."), yes: t("End it now"), danger: true });
  if (reason !== null) await act(() => post(path(agreement.id, "end"), { reason }));
}

function signed(signature) {
  return signature ? `${signature.name}, ${momentText(signature.time)}` : t("not yet approved");
}

function card({ agreement, state }) {
  const { terms } = agreement;
  const given = agreement.giver === own;
  const mine = given ? agreement.approved_by_giver : agreement.approved_by_receiver;
  const row = (name, value) => [element("dt", {}, name), element("dd", {}, value)];
  return element("article", { class: "panel agreement", "data-agreement": agreement.id, "data-state": state },
    element("header", { class: "panel-head" }, element("h2", {}, t("{giver} to {receiver}", { giver: nameOf(agreement.giver), receiver: nameOf(agreement.receiver) })),
      element("span", { class: "state", "data-state": STATES[state] }, agreementWord(state)),
      element("div", { class: "end" }, ...(may("sharing:decide") ? [
        state === "proposed" && !mine ? element("button", { type: "button", class: "button small primary", "data-approve": true, onclick: () => act(() => post(path(agreement.id, "approve"), { version: agreement.version })) }, icon("check"), t("Approve")) : null,
        state === "proposed" || state === "active" ? element("button", { type: "button", class: "button small danger", "data-end": true, onclick: () => end(agreement) }, t("End it now")) : null] : []))),
    element("div", { class: "panel-body stack" }, element("p", { class: "strong-text" }, terms.purpose),
      element("dl", { class: "facts" },
        ...row(t("Categories"), terms.categories.map(categoryWord).join(", ")),
        ...row(t("From"), terms.from_severity === "Unknown" ? t("every severity") : word(terms.from_severity)),
        ...row(t("Where"), terms.area ? tn("within an area of {n} corner", "within an area of {n} corners", terms.area.coordinates[0].length - 1) : t("everywhere")),
        ...row(t("Confirmed alerts"), terms.alerts ? t("yes") : t("no")),
        ...row(t("Until"), momentText(terms.until)),
        ...row(nameOf(agreement.giver), signed(agreement.approved_by_giver)), ...row(nameOf(agreement.receiver), signed(agreement.approved_by_receiver)),
        ...(agreement.ending ? row(t("Ended"), `${agreement.ending.name}, ${momentText(agreement.ending.time)}${agreement.ending.reason ? ` – ${agreement.ending.reason}` : ""}`) : [])),
      element("div", { class: "crossing" }, ...ALL_GROUPS.map((group) => element("span", { class: "chip", "data-crosses": terms.groups.includes(group) }, groupWord(group))),
        element("span", { class: "chip", "data-crosses": terms.place !== "none" }, placeWord(terms.place)))));
}

const ORDER = ["proposed", "active", "expired", "ended"];

const show = settled(() => {
  const list = find("#agreements");
  list.classList.remove("loading");
  const shown = [...agreements.values()].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.agreement.created < b.agreement.created ? 1 : -1));
  list.replaceChildren(...(shown.length ? shown.map(card) : [element("div", { class: "empty" }, icon("share"), element("b", {}, t("Nothing is shared")), element("span", {}, t("Without an agreement nobody else sees anything of ours.")))]));
}, 30);

async function load() {
  const items = await all("/agreements");
  agreements.clear();
  for (const item of items) agreements.set(item.agreement.id, item);
  show();
}

// --- Proposing ---

const form = find("#propose");
const corners = [];
let drawn = null;

function terms() {
  const given = new FormData(form);
  const until = new Date(`${given.get("until")}T23:59:59`);
  return {
    purpose: given.get("purpose"), categories: given.getAll("categories"), from_severity: given.get("from_severity"), alerts: given.has("alerts"),
    groups: given.getAll("groups"), place: given.get("place"), until: until.toISOString(),
    area: corners.length >= 3 ? { type: "Polygon", coordinates: [[...corners, corners[0]]] } : null,
  };
}

function example(shown) {
  const { incident, alerts } = shown;
  return element("div", { class: "example" }, element("header", {}, element("span", { class: "severity", "data-severity": incident.severity }, word(incident.severity)), element("b", {}, sharedTitle(incident)), element("span", { class: "state", "data-state": incident.state }, word(incident.state))),
    incident.summary ? element("p", {}, incident.summary) : null,
    ...alerts.slice(0, 4).map((alert) => element("p", { class: "faint" }, [alert.headline ?? categoryWord(alert.category), alert.place ? (alert.place.name ?? t("at {place}", { place: (alert.place.geometry.coordinates ?? []).join(", ") })) : t("no place"), alert.source ?? t("no source")].join(" · "))));
}

async function preview() {
  const given = new FormData(form);
  try {
    const found = await post("/agreements/preview", { terms: terms(), receiver: given.get("partner") });
    find("#preview").replaceChildren(
      element("p", { class: "note" }, tn("Of {n} incident of the last week this many would have crossed: {crossing}.", "Of {n} incidents of the last week this many would have crossed: {crossing}.", found.incidents, { crossing: found.crossing })),
      ...found.examples.map(example));
  } catch (problem) {
    find("#preview").replaceChildren(element("p", { class: "note bad", role: "alert" }, `${problem.message} ${problem.hint ?? ""}`));
  }
}

async function propose(event) {
  event.preventDefault();
  const given = new FormData(form);
  const partner = given.get("partner");
  const gives = given.get("direction") === "give";
  await act(async () => {
    await post("/agreements", { id: newId(), giver: gives ? own : partner, receiver: gives ? partner : own, terms: terms() });
    toast("good", t("Proposed. It is in force once the other side has approved it."));
    form.reset();
    clearArea();
    ready();
  });
}

function showArea() {
  setText(find("[data-area-text]"), corners.length >= 3 ? tn("within an area of {n} corner", "within an area of {n} corners", corners.length) : t("everywhere"));
  drawn?.setLatLngs(corners.map(([longitude, latitude]) => [latitude, longitude]));
}

function clearArea() {
  corners.length = 0;
  showArea();
}

function ready() {
  const far = new Date(Date.now() + 365 * 86_400_000);
  form.elements.until.value = far.toISOString().slice(0, 10);
}

async function prepare() {
  for (const [name, say] of [["group", groupWord], ["place", placeWord], ["category", categoryWord]]) {
    for (const label of findAll(`[data-${name}]`, form)) setText(label, say(label.dataset[name]));
  }
  form.elements.partner.replaceChildren(...[...partners].map(([id, name]) => element("option", { value: id }, name)));
  ready();
  form.addEventListener("submit", propose);
  find("[data-preview]").addEventListener("click", () => { if (form.reportValidity()) preview(); });
  find("[data-area-clear]").addEventListener("click", clearArea);
  form.elements.direction.addEventListener("change", () => { find("[data-preview]").disabled = form.elements.direction.value !== "give"; });
  const map = await cityMap(find("#area-map"));
  drawn = window.L.polygon([], { color: "#4aa8ff", weight: 2, fillOpacity: 0.15 }).addTo(map);
  map.on("click", (event) => {
    corners.push([Number(event.latlng.lng.toFixed(5)), Number(event.latlng.lat.toFixed(5))]);
    showArea();
  });
  showArea();
}

stream.want("sharing");
stream.on("agreement", () => load().catch(() => {}));
stream.on("reset", () => load().catch(() => {}));
for (const partner of (await get("/agreements/partners")).items) partners.set(partner.id, partner.name);
await load().catch((problem) => toast("bad", problem.message, problem.hint));
if (form) await prepare();
