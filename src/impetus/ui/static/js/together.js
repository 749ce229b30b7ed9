// In the room of an own incident: with whom it is shared, what they do about it, and what is said.

import { conversation } from "./conversation.js";
import { element, find, setText, settled } from "./dom.js";
import { ago, momentText } from "./format.js";
import { get } from "./http.js";
import { t } from "./i18n.js";
import { endingWord, groupWord, partWord, placeWord } from "./sharing.js";
import { stream } from "./stream.js";

function card(share, last) {
  const crossing = [...share.groups.map(groupWord), placeWord(share.place)].join(" · ");
  return element("div", { class: "share", "data-ended": Boolean(share.ended) },
    element("header", {}, element("b", {}, share.receiver_name), share.ended ? element("span", { class: "state", "data-state": "closed" }, t("not shared any more")) : element("span", { class: "state", "data-part": share.part }, partWord(share.part)),
      element("time", { datetime: share.since, title: ago(share.since) }, momentText(share.since))),
    element("p", { class: "faint" }, share.ended ? endingWord(share.ending) : t("They see: {fields}", { fields: crossing })),
    last ? element("p", {}, `${last.person_name ?? share.receiver_name}: ${partWord(last.state_after)}${last.text ? ` – “${last.text}”` : ""}`) : null);
}

/** Fill the partial `together.html` for an own incident. */
export function together(id) {
  const root = find("#together");
  if (!root) return;
  const words = conversation(root, id);

  async function load() {
    const state = await get(`/incidents/${encodeURIComponent(id)}/share`);
    const open = state.shares.filter((share) => !share.ended);
    setText(find("[data-together-sub]", root), open.length ? t("shared with {names}", { names: open.map((share) => share.receiver_name).join(", ") }) : t("not shared: only we see this"));
    root.dataset.shared = String(open.length > 0);
    find("[data-shares]", root).replaceChildren(...state.shares.map((share) => card(share, state.timeline.filter((entry) => entry.organisation === share.receiver).at(-1))));
  }

  const again = settled(() => load().catch(() => {}), 100);
  stream.want("incidents");
  stream.on("incident-share", (share) => { if (share.incident === id) again(); });
  const both = () => { again(); words.load().catch(() => {}); };
  stream.on("reset", both);
  stream.on("open", both);
  both();
}
