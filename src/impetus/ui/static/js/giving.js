// Giving an alert to somebody else.

import { context, may } from "./context.js";
import { ask } from "./dialogs.js";
import { element, find, setText } from "./dom.js";
import { all } from "./http.js";
import { t } from "./i18n.js";
import { toast } from "./toast.js";

/** Whether the reader may give this alert away: what they hold, or, who assigns, any. */
export function mayGive(alert) {
  return may("alerts:assign") || alert.holder === context.person?.id;
}

/** Ask to whom an alert goes; what to send with the decision, or null if the person let it be. */
export async function askGiving(alert) {
  const dialog = find("#give-dialog");
  const form = find("form", dialog);
  let colleagues;
  try {
    colleagues = (await all("/shift/colleagues", { limit: null })).filter((one) => one.id !== alert.holder);
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return null;
  }
  if (!colleagues.length) {
    toast("warn", t("There is nobody else who could take it."));
    return null;
  }
  form.reset();
  setText(find("[data-text]", dialog), alert.headline);
  form.elements.person.replaceChildren(...colleagues.map((one) => element("option", { value: one.id }, one.name)));
  const override = form.elements.override;
  if (override) override.onchange = () => { form.elements.reason.required = override.checked; };
  form.elements.reason.required = false;
  const answer = await ask(dialog);
  return answer && { person: answer.person, reason: answer.reason.trim(), override: answer.override === "true" };
}
