// Questions to the person: a reason, a title, which incident.

import { find, findAll, setText } from "./dom.js";

/** Show a dialog and wait: the form's values, or null if the person let it be. */
export function ask(dialog) {
  dialog.returnValue = "";
  const form = find("form", dialog);
  dialog.showModal();
  find("textarea, input:not([type=hidden]), select", dialog)?.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null);
    }, { once: true });
  });
}

/** Ask for a reason; null if the person let it be. */
export async function askReason({ title, text = "", yes, required = false, danger = false }) {
  const dialog = find("#reason-dialog");
  const field = find("textarea", dialog);
  setText(find("[data-title]", dialog), title);
  setText(find("[data-text]", dialog), text);
  const button = find("[data-yes]", dialog);
  setText(button, yes);
  button.classList.toggle("danger", danger);
  button.classList.toggle("primary", !danger);
  field.value = "";
  field.required = required;
  const answer = await ask(dialog);
  return answer === null ? null : String(answer.reason || "").trim();
}

// Enter with Ctrl sends a form whose focus is in a text area.
for (const dialog of findAll("dialog")) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find('[value="yes"]', dialog)?.click();
  });
}
