// Short messages.

import { element, find } from "./dom.js";

/** A short message that goes away by itself. */
export function toast(kind, text, hint = "") {
  const message = element("div", { class: "toast", "data-kind": kind },
    element("div", {}, element("p", {}, text), hint ? element("p", {}, hint) : null));
  find("#toasts").append(message);
  setTimeout(() => message.remove(), kind === "bad" || kind === "warn" ? 9000 : 4500);
}
