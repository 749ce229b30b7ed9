// Opening evidence: the person says why, the server checks the content and writes it into the chain of custody.

import { askReason } from "./dialogs.js";
import { post } from "./http.js";
import { t } from "./i18n.js";
import { toast } from "./toast.js";

/** Ask why, open the evidence; `path` is where a shared incident has it; `{address, shown}` of its content, or null if the person let it be or it was refused. */
export async function openEvidence(sha256, title, incident = null, path = `/evidence/${sha256}`) {
  const reason = await askReason({ title: t("Open the evidence"), text: t("{title}. Who opened it and why stays known.", { title }), yes: t("Open"), required: true });
  if (!reason) return null;
  try {
    const opened = await post(`${path}/openings`, { reason, ...(incident ? { incident } : {}) });
    return { address: `/api/v1${path}?opening=${encodeURIComponent(opened.opening.id)}`, shown: opened.media_type.startsWith("image/") };
  } catch (problem) {
    toast("bad", problem.message, problem.hint);
    return null;
  }
}
