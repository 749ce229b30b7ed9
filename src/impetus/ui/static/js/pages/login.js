// Logging in with a passkey: alone, or after name and password in place of a code.

import { show, usable } from "../passkeys.js";

const button = document.querySelector("[data-passkey]");
const note = document.querySelector("[data-passkey-note]");
const form = button.form;

async function logIn() {
  note.hidden = true;
  try {
    const response = await fetch("/api/v1/session/passkeys/questions", {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body: "{}",
      credentials: "same-origin",
    });
    if (!response.ok) throw new Error(response.statusText);
    form.elements.passkey.value = await show((await response.json()).options);
  } catch {
    note.hidden = false; // the person said no, or has none
    return;
  }
  form.noValidate = true; // name and password may be empty
  form.requestSubmit();
}

button.hidden = !usable;
button.addEventListener("click", logIn);
