// The person's own page: passkeys are made by the browser.

import { find } from "../dom.js";
import { post } from "../http.js";
import { t } from "../i18n.js";
import { make, usable } from "../passkeys.js";

const place = find("#own-access");

function say(text) {
  const note = find("[data-passkey-note]", place);
  note.textContent = text;
  note.hidden = !text;
}

async function add(form) {
  const { title, password } = form.elements;
  say("");
  try {
    const { options } = await post("/session/passkeys/begin", { password: password.value });
    await post("/session/passkeys", { title: title.value, answer: await make(options) });
    location.reload();
  } catch (error) {
    const refused = error instanceof DOMException;
    say(refused ? t("The browser made no passkey. Try again.") : `${error.message}${error.hint ? ` ${error.hint}` : ""}`);
  }
}

// The part is replaced by htmx, the page is not.
place.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-passkey-form]")) return;
  event.preventDefault();
  if (usable) add(event.target);
  else say(t("This browser has no passkeys here: the page has to come over https, or from localhost."));
});
