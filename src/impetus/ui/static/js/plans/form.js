// A form in a dialog, built from fields that each know their value; and rows that are added and removed.

import { element, find, icon, setText } from "../dom.js";
import { remove as removeAt, post } from "../http.js";
import { t } from "../i18n.js";
import { toast } from "../toast.js";

let made = 0;

function labelled(label, field, hint) {
  return element("label", { class: "field" }, element("span", {}, label), field, hint ? element("small", {}, hint) : null);
}

/** One line of text, a number, a date or a time. */
export function input(label, value, { hint = null, ...attributes } = {}) {
  const field = element("input", { class: "input small", type: "text", autocomplete: "off", value: value ?? "", ...attributes });
  return { node: labelled(label, field, hint), value: () => (attributes.type === "number" ? Number(field.value) : field.value.trim()) };
}

/** Several lines of text. */
export function area(label, value, attributes = {}) {
  const field = element("textarea", { class: "input", ...attributes });
  field.value = value ?? "";
  return { node: labelled(label, field), value: () => field.value.trim() };
}

/** A time of day, always as `08:00`: a field for time would show it as the browser's own language does. */
export function clock(label, value) {
  return input(label, value, { required: true, class: "input small mono", pattern: "([01][0-9]|2[0-3]):[0-5][0-9]", title: "08:00", maxlength: 5 });
}

/** A day with a time of day: `2026-03-29 08:00`. */
export function dayClock(label, value) {
  const field = input(label, value.replace("T", " "), { required: true, class: "input small mono", pattern: "[0-9]{4}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]", title: "2026-03-29 08:00", maxlength: 16 });
  return { node: field.node, value: () => field.value().replace(" ", "T") };
}

/** One of several; `options` are pairs of value and words. */
export function select(label, value, options) {
  const field = element("select", { class: "input small" }, ...options.map(([one, words]) => element("option", { value: one, selected: one === value }, words)));
  return { node: labelled(label, field), field, value: () => field.value };
}

/** Yes or no. */
export function tick(label, value) {
  const field = element("input", { type: "checkbox", checked: value });
  return { node: element("label", { class: "tick" }, field, element("span", {}, label)), value: () => field.checked };
}

/** Any of several. */
export function ticks(label, values, options, { least = 0, whole = false } = {}) {
  const boxes = options.map(([one, words]) => [one, element("input", { type: "checkbox", checked: values.includes(one) }), words]);
  const chosen = () => boxes.filter(([, box]) => box.checked).map(([one]) => one);
  const check = () => boxes[0]?.[1].setCustomValidity(chosen().length < least ? t("Choose at least one.") : "");
  const node = element("fieldset", { class: whole ? "chips whole" : "chips", onchange: check }, element("legend", { class: "legend" }, label),
    ...(boxes.length ? boxes.map(([, box, words]) => element("label", { class: "chip-tick" }, box, element("span", {}, words))) : [element("span", { class: "faint" }, t("There is none yet."))]));
  check();
  return { node, value: chosen };
}

/** Rows of fields: `make(item)` gives `{ node, value }`; `fresh()` what a new row begins with. */
export function rows(label, items, { add, fresh, make, least = 0 }) {
  const list = element("ol", { class: "plan-rows" });
  const shown = [];
  const place = (item) => {
    const row = make(item);
    const line = element("li", {}, row.node, element("button", { type: "button", class: "button small quiet icon-only", title: t("Take this row away"), "aria-label": t("Take this row away"), onclick: () => {
      shown.splice(shown.indexOf(row), 1);
      line.remove();
    } }, icon("close")));
    shown.push(row);
    list.append(line);
    return line;
  };
  for (const item of items) place(item);
  while (shown.length < least) place(fresh());
  const node = element("section", { class: "plan-part" }, element("h3", {}, label), list,
    element("button", { type: "button", class: "button small", onclick: () => find("input, select", place(fresh()))?.focus() }, icon("plus"), add));
  return { node, value: () => shown.map((row) => row.value()) };
}

/** Fields side by side. */
export function side(...fields) {
  return element("div", { class: "plan-side" }, ...fields.map((field) => field.node ?? field));
}

/** An identifier from a title, unlike those that are taken. */
export function slugOf(title, taken) {
  const plain = title.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 48).replace(/-+$/, "") || "plan";
  let slug = plain;
  for (let number = 2; taken.includes(slug); number += 1) slug = `${plain}-${number}`;
  return slug;
}

/** Open a form; resolves to what the interface answered, true when it was removed, null if the person let it be.
 *
 * `body()` is what is sent to `path`; `removable` is the path of what there is already.
 */
export function openForm({ title, parts, path, body, removable = null, wide = false, yes = t("Save"), done = t("Saved.") }) {
  made += 1;
  const problem = element("p", { class: "note bad", role: "alert", hidden: true });
  const save = element("button", { class: "button primary" }, yes);
  const dialog = element("dialog", { class: wide ? "dialog wide plan" : "dialog plan", "aria-labelledby": `plan-${made}` });
  let outcome = null;
  const close = (value) => { outcome = value; dialog.close(); };
  const refused = (found) => { problem.hidden = false; setText(problem, `${found.message} ${found.hint ?? ""}`); problem.scrollIntoView({ block: "nearest" }); };
  const form = element("form", { onsubmit: async (event) => {
    event.preventDefault();
    save.disabled = true;
    try {
      close(await post(path, body()));
      toast("good", done);
    } catch (found) {
      refused(found);
    } finally {
      save.disabled = false;
    }
  } }, element("h2", { id: `plan-${made}` }, title), ...parts.map((part) => part.node ?? part), problem,
  element("div", { class: "actions" },
    removable ? element("button", { type: "button", class: "button danger", "data-remove": true, onclick: async () => {
      try {
        await removeAt(removable);
        close(true);
      } catch (found) {
        refused(found);
      }
    } }, t("Remove")) : null,
    element("span", { class: "grow" }),
    element("button", { type: "button", class: "button quiet", onclick: () => close(null) }, t("Cancel")), save));
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  find("input, select, textarea", form)?.focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => { dialog.remove(); resolve(outcome); }, { once: true }));
}
