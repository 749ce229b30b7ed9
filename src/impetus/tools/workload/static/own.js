// One's own workload: consent for a shift, the state, ratings by one key, NASA-TLX, the copy to take along, and withdrawal.

import { bar, columns, course, facts, node, percent, row, stateMark } from "./drawing.js";
import { translator } from "./words.js";

const EVERY_MS = 2000;
const RATINGS = ["Under-used", "Relaxed", "Comfortable", "High", "Too much"];
const SCALES = [
  ["mental", "Mental demand"], ["physical", "Physical demand"], ["temporal", "Temporal demand"],
  ["performance", "Performance (0 perfect, 100 failure)"], ["effort", "Effort"], ["frustration", "Frustration"],
];
const NAMES = {
  "heart rate": "Heart rate", "heart-rate spread": "Spread of heart rate", "heart-rate unrest": "Unrest of heart rate",
  breathing: "Breathing", "breathing spread": "Spread of breathing", "breathing unrest": "Unrest of breathing",
  console: "What you hold and what waits", "own rating": "Your own rating", "brain rhythms": "Rhythms of the brain",
};

/** A label begins with a capital letter. */
const begun = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function mount(element, context) {
  const t = translator(context);
  const path = `/tools/${context.tool}/own`;
  const body = node("div", { class: "stack" });
  const said = node("p", { role: "status", "aria-live": "polite" });
  element.replaceChildren(body, said);
  let open = null; // whether the page shows the consent's form or the state; null: nothing yet
  let parts = null;
  let stopped = false;

  async function attempt(work, done) {
    try {
      await work();
      said.textContent = done;
    } catch (problem) {
      said.textContent = [problem.message, problem.hint].filter(Boolean).join(" ");
    }
    await show();
  }

  function consentForm(known) {
    const device = node("input", { class: "input", id: "workload-device", maxlength: "100", value: known?.terms?.device ?? "" });
    const hours = node("input", { class: "input", id: "workload-hours", type: "number", min: "1", max: "14", step: "0.5", value: "8" });
    const console_ = node("input", { type: "checkbox", id: "workload-console", checked: known?.terms?.console ?? true });
    const keep = node("input", { type: "checkbox", id: "workload-keep", checked: known?.terms?.keep_baseline ?? true });
    const shared = node("input", { type: "checkbox", id: "workload-shared", checked: known?.shared ?? false });
    const field = (input, words) => node("p", { class: "field" }, node("label", { for: input.id }, t(words)), input);
    const choice = (input, words) => row(input, node("label", { for: input.id }, t(words)));
    const form = node("form", { class: "stack" },
      node("p", {}, t("You may leave this out without giving a reason, and take it back at any moment: then everything is deleted at once. Raw signals are never kept. Nobody else sees your state unless you share it, and it may not be used for decisions about you.")),
      columns(field(hours, "For so many hours"), field(device, "Name of the device that you wear (empty: none)")),
      choice(console_, "Use what I hold and decide at the console"),
      choice(keep, "Keep what is usual for me for the next shift"),
      choice(shared, "Share my state with the supervisor, for this shift"),
      row(node("button", { type: "submit", class: "button primary" }, t("Agree for this shift"))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(() => context.put(path, {
        hours: Number(hours.value),
        shared: shared.checked,
        terms: { device: device.value.trim(), console: console_.checked, keep_baseline: keep.checked },
      }), t("Agreed. You can take it back at any moment."));
    });
    return form;
  }

  function rate(rating) {
    return attempt(() => context.post(`${path}/entries`, { kind: "isa", content: { rating } }),
      t("Rated {rating}. Thank you.", { rating }));
  }

  function ratings() {
    const group = row();
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", t("How loaded are you now?"));
    RATINGS.forEach((words, place) => {
      group.append(node("button", { type: "button", class: "button", "aria-keyshortcuts": String(place + 1),
        onclick: () => rate(place + 1) }, node("kbd", {}, String(place + 1)), ` ${t(words)}`));
    });
    return group;
  }

  function taskLoad() {
    const inputs = SCALES.map(([name, words]) => {
      const input = node("input", { type: "range", min: "0", max: "100", step: "5", value: "50", id: `tlx-${name}` });
      const shown = node("output", { for: input.id }, "50");
      input.addEventListener("input", () => { shown.textContent = input.value; });
      return [name, input, node("p", { class: "field" }, node("label", { for: input.id }, `${t(words)} `), input, " ", shown)];
    });
    const form = node("form", {}, ...inputs.map(([, , row]) => row),
      node("button", { type: "submit", class: "button" }, t("Keep")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(() => context.post(`${path}/entries`, {
        kind: "tlx", content: Object.fromEntries(inputs.map(([name, input]) => [name, Number(input.value)])),
      }), t("Kept."));
    });
    return node("details", {}, node("summary", {}, t("NASA Task Load Index")), form);
  }

  async function takeAlong() {
    const view = await context.get(path);
    const address = URL.createObjectURL(new Blob([JSON.stringify(view, null, 2)], { type: "application/json" }));
    const link = node("a", { href: address, download: "workload.json" });
    link.click();
    URL.revokeObjectURL(address);
  }

  function build(view) {
    parts = { state: node("div", { class: "stack" }), due: node("p", {}), line: node("div", {}) };
    body.replaceChildren(
      columns(parts.state, node("div", { class: "stack" }, parts.line, parts.due, ratings(), taskLoad())),
      node("details", {}, node("summary", {}, t("Change what I agreed to")), consentForm(view.consent)),
      row(
        node("button", { type: "button", class: "button", onclick: () => attempt(takeAlong, t("Here is all that there is of you.")) },
          t("Take a copy of everything")),
        node("button", { type: "button", class: "button danger", onclick: () => attempt(() => context.remove(path),
          t("Taken back. Everything that there was of you is deleted.")) }, t("Take back and delete everything"))));
  }

  function fill(view) {
    const now = view.documents.now;
    if (!now) {
      parts.state.replaceChildren(node("p", { class: "empty" }, t("Nothing has been worked out yet.")));
      return;
    }
    const carried = now.carried.filter((one) => Math.abs(one.effect) >= 0.1).slice(0, 4)
      .map((one) => `${t(NAMES[one.name] ?? one.name)} ${one.effect > 0 ? "↑" : "↓"}`).join(", ");
    parts.state.replaceChildren(
      node("p", {}, stateMark(context, t, now.state), now.abstained ? ` – ${t(now.abstained)}` : ""),
      ...(now.abstained ? [] : [bar(context, t, now)]),
      ...now.remarks.map((text) => node("p", {}, t(text))),
      facts([
        [t("High load"), now.load === null ? null : percent(now.load)],
        [t("Carried by"), carried],
        [t("Heart rate"), now.heart_bpm === null ? null : `${now.heart_bpm} /min`],
        [t("Breathing"), now.breathing_per_min === null ? null : `${now.breathing_per_min} /min`],
        ["RMSSD", now.rmssd_ms === null ? null : `${now.rmssd_ms} ms`],
        [t("Quality of the signal"), percent(now.quality)],
        ...Object.entries(now.measures).map(([name, value]) => [begun(t(name)), value === null ? null : value.toPrecision(3)]),
        [t("Alertness usual now"), `${t(now.fatigue)} (${now.alertness})`],
        [t("On shift"), `${now.hours_on_shift.toFixed(1)} h`],
        ["NASA-TLX", now.task_load === null ? null : Math.round(now.task_load)],
        [t("Shared with the supervisor"), t(view.consent.shared ? "yes, for this shift" : "no")],
      ]));
    parts.due.textContent = now.rating_due ? t("How loaded are you now? Press 1 to 5.") : "";
    const minutes = view.documents.history?.minutes ?? [];
    parts.line.replaceChildren(...(minutes.length > 1
      ? [course(context, minutes, t("Load in the last two hours"))] : []));
  }

  async function show() {
    let view = null;
    try {
      view = await context.get(path);
    } catch (problem) {
      said.textContent = problem.message;
      return;
    }
    const holds = view.consent !== null && new Date(view.consent.until) > new Date();
    if (stopped) return;
    if (!holds) {
      if (open !== false) {
        open = false;
        body.replaceChildren(consentForm(view.consent));
        if (view.consent) {
          body.append(node("button", { type: "button", class: "button danger",
            onclick: () => attempt(() => context.remove(path), t("Taken back. Everything that there was of you is deleted.")) },
          t("Delete everything that there is of me")));
        }
      }
      return;
    }
    if (open !== true) {
      open = true;
      build(view);
    }
    fill(view);
  }

  function onKey(event) {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (open && !writing && !event.ctrlKey && !event.metaKey && !event.altKey && /^[1-5]$/.test(event.key)) {
      event.preventDefault();
      rate(Number(event.key));
    }
  }

  document.addEventListener("keydown", onKey);
  const timer = setInterval(() => { if (!document.hidden) show(); }, EVERY_MS);
  show();
  return () => {
    stopped = true;
    clearInterval(timer);
    document.removeEventListener("keydown", onKey);
  };
}
