// Chat and notes of an incident, own or shared.

import { element, find } from "./dom.js";
import { ago, momentText } from "./format.js";
import { get, newId, post } from "./http.js";
import { t } from "./i18n.js";
import { stream } from "./stream.js";
import { toast } from "./toast.js";

const VISIBILITY = { ours: () => t("ours"), shared: () => t("shared") };

/** Fill the partial `conversation.html` within `root`; `id` is the own incident's or the shared one's. */
export function conversation(root, id) {
  const path = `/incidents/${encodeURIComponent(id)}/messages`;
  const list = find("[data-words]", root);
  const messages = new Map();

  function show() {
    const near = list.parentElement.scrollHeight - list.parentElement.scrollTop - list.parentElement.clientHeight < 60;
    list.replaceChildren(...[...messages.values()].sort((a, b) => (a.sent < b.sent ? -1 : 1)).map((one) => element("li", { class: "word", "data-visibility": one.visibility, "data-kind": one.kind },
      element("header", {}, element("b", {}, one.person_name ?? one.author_name), one.person_name ? element("span", { class: "faint" }, one.author_name) : null,
        one.kind === "note" ? element("span", { class: "chip" }, `${t("note")} · ${VISIBILITY[one.visibility]()}`) : null,
        element("time", { datetime: one.sent, title: ago(one.sent) }, momentText(one.sent))),
      element("p", {}, one.text))));
    if (!messages.size) list.append(element("li", { class: "faint" }, t("Nothing was written yet.")));
    if (near) list.parentElement.scrollTop = list.parentElement.scrollHeight;
  }

  async function load() {
    const page = await get(path);
    messages.clear();
    for (const one of page.items) messages.set(one.id, one);
    show();
  }

  stream.want("incidents");
  stream.on("incident-message", (one) => {
    if (one.incident !== id) return;
    messages.set(one.id, one);
    show();
  });

  find("[data-words-form]", root)?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const text = form.elements.text.value.trim();
    if (!text) return;
    const [kind, visibility = "shared"] = form.elements.kind.value.split("-");
    try {
      const sent = await post(path, { id: newId(), text, kind, visibility });
      messages.set(sent.id, sent);
      // What was begun meanwhile stays.
      if (form.elements.text.value.trim() === text) form.elements.text.value = "";
      show();
    } catch (problem) {
      toast(problem.status === 409 ? "warn" : "bad", problem.message, problem.hint);
    }
  });
  return { load };
}
