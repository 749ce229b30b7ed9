// The page of notification: making and changing channels, duty rosters and escalation chains.

import { find } from "../dom.js";
import { all } from "../http.js";
import { t } from "../i18n.js";
import { editChain } from "../plans/chain.js";
import { editChannel } from "../plans/channel.js";
import { editRoster } from "../plans/roster.js";
import { toast } from "../toast.js";

const PLANS = {
  channel: { list: "channels", edit: editChannel }, roster: { list: "rosters", edit: editRoster }, chain: { list: "chains", edit: editChain },
};

/** What there is now, with its versions: the page may be some seconds old. */
async function present() {
  const [channels, rosters, chains] = await Promise.all(["/channels", "/rosters", "/escalations"].map((path) => all(path, { limit: null })));
  return { channels, rosters, chains };
}

async function edit(kind, id) {
  let plans;
  try {
    plans = await present();
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return;
  }
  const { list, edit: open } = PLANS[kind];
  const entry = id ? plans[list].find((one) => one[kind].id === id) : null;
  if (id && !entry) {
    toast("warn", t("Somebody removed it meanwhile."));
    return;
  }
  if (await open(entry, plans)) find("#notifications").dispatchEvent(new Event("changed"));
}

// The tables are drawn again every few seconds; their buttons are listened to from outside.
find("#notifications").addEventListener("click", (event) => {
  const button = event.target.closest("[data-plan]");
  if (button) edit(button.dataset.plan, button.dataset.id);
});
