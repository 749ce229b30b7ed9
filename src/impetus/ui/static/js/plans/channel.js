// Making or changing a channel: a way to reach people.

import { post } from "../http.js";
import { t } from "../i18n.js";
import { toast } from "../toast.js";
import { input, openForm, select, side, slugOf, tick } from "./form.js";

/** Send a test message through a channel; the delivery log says what became of it. */
export async function testChannel(id) {
  try {
    await post(`/channels/${encodeURIComponent(id)}/test`, {});
    toast("good", t("A test message is on its way; the delivery log says what became of it."));
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
  }
}

export async function editChannel(entry, { channels }) {
  const channel = entry?.channel ?? { title: "", serves: "real", gap_s: 10, active: true };
  const title = input(t("Title"), channel.title, { required: true, maxlength: 300 });
  const address = input(t("Address"), "", {
    required: !entry, minlength: 4, maxlength: 2000, class: "input small mono", placeholder: "ntfys://ntfy.example.org/control-room", spellcheck: "false",
    hint: entry ? t("As Apprise writes it. It is a secret and never shown; leave it empty to keep the present one.") : t("As Apprise writes it: mailtos://, ntfys://, matrixs://, sms gateways, json:// ... It is a secret and never shown again."),
  });
  const serves = select(t("Carries"), channel.serves, [["real", t("real only")], ["exercises", t("exercises only")], ["both", t("real and exercises")]]);
  const gap = input(t("Gap between two messages, in s"), channel.gap_s, { type: "number", min: 0, max: 3600, step: "any", required: true });
  const active = tick(t("In use"), channel.active);
  const test = tick(t("Send a test message when it is saved"), !entry);
  const id = () => channel.id ?? slugOf(title.value(), channels.map((one) => one.channel.id));
  const kept = await openForm({
    title: entry ? t("Change the channel") : t("New channel"), parts: [title, address, side(serves, gap), active, test], path: "/channels",
    body: () => ({ version: entry?.version ?? 0, address: address.value() || null, channel: { ...channel, id: id(), title: title.value(), serves: serves.value(), gap_s: gap.value(), active: active.value() } }),
    removable: entry ? `/channels/${encodeURIComponent(channel.id)}` : null,
  });
  if (kept?.channel && test.value()) await testChannel(kept.channel.id);
  return kept;
}
