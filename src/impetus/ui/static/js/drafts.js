// Messages that a procedure drafted: a person reads each, changes it perhaps, and lets it go out, or not.

import { may } from "./context.js";
import { element } from "./dom.js";
import { momentText } from "./format.js";
import { all, newId } from "./http.js";
import { t } from "./i18n.js";
import { area, input, openForm, ticks } from "./plans/form.js";
import { toast } from "./toast.js";

/** The drafts of a run as cards; `sent` is called when one went out. */
export function draftCards(run, sent) {
  return run.drafts.map((draft) => element("article", { class: "draft", "data-step": draft.step },
    element("header", {}, element("b", { class: "grow" }, draft.title), element("span", { class: "state", "data-state": draft.sendings?.length ? "confirmed" : "candidate" }, draft.sendings?.length ? t("sent") : t("draft"))),
    element("p", { class: "muted" }, t("For: {audience}", { audience: draft.audience })),
    element("p", { class: "draft-text" }, draft.text),
    ...(draft.sendings ?? []).map((one) => element("p", { class: "faint" }, t("{person} let it go out, {time}, through {channels}.", { person: one.person_name, time: momentText(one.sent), channels: one.channels.join(", ") }))),
    may("incidents:decide") && may("notifications:read") ? element("button", { type: "button", class: "button small", "data-send": draft.step, onclick: () => sendDraft(run, draft).then((done) => { if (done) sent(); }) }, t("Read and send …")) : null));
}

async function sendDraft(run, draft) {
  let channels;
  try {
    channels = (await all("/channels", { limit: null })).filter((one) => one.channel.active);
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return null;
  }
  if (!channels.length) {
    toast("warn", t("There is no channel to send it through."), t("A supervisor sets one up on the page of notification."));
    return null;
  }
  const last = draft.sendings?.at(-1) ?? draft;
  const title = input(t("Title"), last.title.slice(0, 200), { required: true, maxlength: 200 });
  const text = area(t("Text"), last.text, { required: true, maxlength: 8000, rows: 8 });
  const gone = new Set((draft.sendings ?? []).flatMap((one) => one.channels));
  const through = ticks(t("Through"), [], channels.filter((one) => !gone.has(one.channel.id)).map((one) => [one.channel.id, one.channel.title]), { least: 1 });
  const id = newId();
  return openForm({
    title: t("Let the message go out"), yes: t("Approve and send"), done: t("The message is on its way; the delivery log says what became of it."),
    parts: [element("p", { class: "muted" }, t("For: {audience}", { audience: draft.audience })), title, text, through, element("p", { class: "faint" }, t("It goes out under your name, word for word as it stands here."))],
    path: `/runs/${encodeURIComponent(run.id)}/drafts/${encodeURIComponent(draft.step)}/send`,
    body: () => ({ id, channels: through.value(), title: title.value(), text: text.value() }),
  });
}
