// Asking a tool for one of its tasks, from code or from the buttons of a table, and what came of it.

import { find, findAll } from "./dom.js";
import { get, newId, post } from "./http.js";
import { t } from "./i18n.js";
import { stream } from "./stream.js";
import { toast } from "./toast.js";

const FIRST_LOOK = 1500;
const LONGEST_LOOK = 20_000;
const GIVE_UP = 3_600_000;

/** What came of a request, once it is no longer `asked`: told by the stream, or found by looking now and then. */
async function outcome(tool, id) {
  const path = `/tools/${tool}/requests/${encodeURIComponent(id)}`;
  let wake = () => {};
  const heard = (event) => { if (event.detail.tool === tool && event.detail.id === id) wake(); };
  stream.addEventListener("request", heard);
  try {
    let wait = FIRST_LOOK;
    for (const end = Date.now() + GIVE_UP; Date.now() < end; wait = Math.min(LONGEST_LOOK, wait * 1.6)) {
      const request = await get(path);
      if (request.state !== "asked") return request;
      await new Promise((done) => { wake = done; setTimeout(done, wait); });
    }
    return await get(path);
  } finally {
    stream.removeEventListener("request", heard);
  }
}

/** Ask a tool; resolves when it is done or has failed. `more` may name `place`, `alert`, `incident` and `reason`. */
export async function ask(tool, task, content = {}, more = {}) {
  stream.want("results");
  const asked = await post(`/tools/${tool}/requests`, { ...more, id: newId(), task, content });
  return outcome(tool, asked.id);
}

/** Ask a tool and tell the person what came of it; whether it was done. */
export async function askAndTell(tool, task, content, more = {}) {
  try {
    const request = await ask(tool, task, content, more);
    const done = request.state === "done";
    toast(done ? "good" : "bad", request.text || (done ? t("Done.") : t("The tool did not say why it failed.")));
    return done;
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return false;
  }
}

/** The open incident of a title, or a new one. */
async function incidentOf(title) {
  const { items } = await get("/incidents", { state: ["open", "contained"], q: title, limit: 50 });
  return (items.find((one) => one.title === title) ?? await post("/incidents", { id: newId(), title })).id;
}

/** Ask for what a button stands for; where it names a procedure, people get its tasks once the tool has done it. */
async function carryOut(button, tool, row) {
  const { task, procedure, incident: title } = button.dataset;
  if (!procedure) return askAndTell(tool, task, { id: row.dataset.row });
  try {
    const incident = await incidentOf(title);
    if (!await askAndTell(tool, task, { id: row.dataset.row }, { incident })) return false;
    const about = row.cells[0].textContent.trim().slice(0, 200);
    await post(`/incidents/${encodeURIComponent(incident)}/procedures`, { id: newId(), procedure, about });
    toast("good", t("Its tasks are in the incident room."));
    return true;
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return false;
  }
}

async function press(button) {
  const row = button.closest("[data-row]");
  if (!row || row.ariaBusy === "true") return;
  const tool = row.closest("[data-tool]").dataset.tool;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.ariaBusy = "true";
  if (next?.matches("[data-row]")) next.focus();
  if (await carryOut(button, tool, row)) row.classList.add("row-done");
  else row.ariaBusy = "false";
}

/** Bring the buttons of tables to life: pressed, or by their key while the row is selected; arrows change the row. */
export function followActions(place) {
  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-row] [data-task]");
    if (button) press(button);
  });
  place.addEventListener("keydown", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const button = findAll("[data-key]", row).find((one) => one.dataset.key === event.key.toLowerCase());
    if (step && row[step]?.matches("[data-row]")) row[step].focus();
    else if (button) press(button);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Put fresh rows in the place of the old ones; who was on a row stays on it, or on the one that took its place. */
export function replaceKeepingRow(section, fresh) {
  const row = section.contains(document.activeElement) ? document.activeElement.closest("[data-row]") : null;
  const number = row ? findAll("[data-row]", section).indexOf(row) : -1;
  section.replaceChildren(...fresh.childNodes);
  if (!row) return;
  const rows = findAll("[data-row]", section);
  (find(`[data-row="${CSS.escape(row.dataset.row)}"]`, section) ?? rows[Math.min(number, rows.length - 1)])?.focus();
}
