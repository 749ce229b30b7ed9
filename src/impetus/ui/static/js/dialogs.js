// Questions to the person: a reason, a title, which incident.

import { find, findAll, setText } from "./dom.js";

/** Show a dialog and wait: the form's values, or null if the person let it be. */
export function ask(dialog) {
  dialog.returnValue = "";
  const form = find("form", dialog);
  dialog.showModal();
  const first = find("textarea, input[type=radio]:checked, input:not([type=hidden], [type=radio]), select", dialog);
  first?.focus();
  if (first?.type === "text") first.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null);
    }, { once: true });
  });
}

async function askInReasonDialog({ title, text = "", yes, required = false, danger = false, classes = false }) {
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
  const kinds = find("[data-classes]", dialog);
  kinds.hidden = !classes;
  find("select", kinds).value = "";
  return ask(dialog);
}

/** Ask for a reason; null if the person let it be. */
export async function askReason(asked) {
  const answer = await askInReasonDialog(asked);
  return answer === null ? null : String(answer.reason || "").trim();
}

/** Ask why an alert is dismissed: the words for people, and the class that the tool learns from; null if let be. */
export async function askDismissal(asked) {
  const answer = await askInReasonDialog({ ...asked, required: true, classes: true });
  return answer === null ? null : { reason: String(answer.reason || "").trim(), reason_class: answer.reason_class || null };
}

for (const dialog of findAll("dialog")) {
  // No submit button: Enter would press it instead of the one that says yes.
  find("[data-cancel]", dialog)?.addEventListener("click", () => dialog.close());
  // Enter with Ctrl sends a form whose focus is in a text area.
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find('[value="yes"]', dialog)?.click();
  });
}
