// A person's decision on an alert: what has to be asked first, and the sending of it.

import { askDismissal, askReason } from "./dialogs.js";
import { askGiving } from "./giving.js";
import { get, newId, post } from "./http.js";
import { t } from "./i18n.js";

/** What a decision needs beside its name: a reason, a person; null if the person let it be. */
export async function particulars(alert, action) {
  if (action === "assign") {
    const given = await askGiving(alert);
    return given && { reason: "", ...given };
  }
  if (action === "dismiss") {
    const told = await askDismissal({ title: t("Dismiss the alert"), text: alert.headline, yes: t("Dismiss") });
    return told?.reason ? told : null;
  }
  if (action === "reopen") {
    const reason = await askReason({ title: t("Reopen the alert"), text: alert.headline, required: true, yes: t("Reopen") });
    return reason ? { reason } : null;
  }
  return { reason: "" };
}

/** Send it; gives the decision and the alert as it is now. Rejects with status 409 where somebody decided meanwhile. */
export function send(alert, action, more) {
  return post(`/alerts/${encodeURIComponent(alert.id)}/decisions`, { id: newId(), ...more, action, version: alert.version });
}

/** Decide on an alert of which only the id is known; gives the alert as it is now, null if the person let it be. */
export async function decide(id, action) {
  const alert = await get(`/alerts/${encodeURIComponent(id)}`);
  if (!alert.actions.some((possible) => possible.action === action)) return alert;
  const more = await particulars(alert, action);
  return more && (await send(alert, action, more)).alert;
}
