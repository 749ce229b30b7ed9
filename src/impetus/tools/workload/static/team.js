// The team: its state, the proposals, who shares theirs. A proposal does nothing until the supervisor takes it.

import { columns, facts, node, percent, row, stateMark } from "./drawing.js";
import { translator } from "./words.js";

const EVERY_MS = 5000;

export function mount(element, context) {
  const t = translator(context);
  const results = `/tools/${context.tool}/results`;
  const state = node("div", { class: "stack" });
  const proposals = node("div", { class: "stack", "aria-live": "polite" });
  const people = node("div", {});
  const said = node("p", { role: "status", "aria-live": "polite" });
  element.replaceChildren(columns(
    state,
    node("div", { class: "stack" }, node("h3", {}, t("Proposals")), proposals, said),
    node("div", { class: "stack" }, node("h3", {}, t("Who shares their state")), people)));

  async function attempt(button, work, done) {
    button.disabled = true;
    try {
      await work();
      said.textContent = done;
    } catch (problem) {
      said.textContent = [problem.message, problem.hint].filter(Boolean).join(" ");
      button.disabled = false;
    }
    await show();
  }

  async function take(proposal) {
    const { cap, hours, because } = proposal.content;
    await context.post("/shift/caps", { cap, hours, reason: because.slice(0, 200) });
    await context.ask("settle", { id: proposal.id, taken: true });
  }

  function drawProposals(items) {
    if (!items.length) {
      proposals.replaceChildren(node("p", {}, t("Nothing is proposed now.")));
      delete proposals.dataset.key;
      return;
    }
    // The same proposals stay as they are: what is drawn anew under somebody's finger is pressed by mistake.
    const key = items.map((one) => `${one.id} ${one.revision}`).join();
    if (proposals.dataset.key === key) return;
    proposals.dataset.key = key;
    proposals.replaceChildren(...items.map((one) => {
      const yes = node("button", { type: "button", class: "button primary" }, t("Take"));
      const no = node("button", { type: "button", class: "button" }, t("Decline"));
      yes.addEventListener("click", () => attempt(yes, () => take(one), t("Taken: the queue follows it.")));
      no.addEventListener("click", () => attempt(no, () => context.ask("settle", { id: one.id, taken: false }), t("Declined.")));
      return node("div", { class: "card stack", "data-proposal": one.id }, node("strong", {}, t(one.title)), node("p", {}, t(one.content.because)),
        row(yes, no));
    }));
  }

  async function give(from, to, count) {
    const held = (await context.get("/alerts", { holder: from, limit: count })).items;
    for (const alert of held) {
      await context.post(`/alerts/${encodeURIComponent(alert.id)}/decisions`, {
        action: "assign", version: alert.version, person: to, reason: t("Work is shared out anew"),
      });
    }
  }

  function personal(one, proposal, board) {
    if (proposal.kind === "rotate") return node("p", {}, t("A break or a change of place would do {name} good.", { name: one.name }));
    const others = board.people.filter((other) => other.active && other.person !== one.person && other.held < other.cap)
      .sort((first, second) => first.held - second.held);
    if (!others.length) return node("p", {}, t("Nobody has room for what {name} holds.", { name: one.name }));
    const [other] = others;
    const button = node("button", { type: "button", class: "button" },
      t("Give {count} of {name} to {other}", { count: proposal.count, name: one.name, other: other.name }));
    button.addEventListener("click", () => attempt(button, () => give(one.person, other.person, proposal.count), t("Given.")));
    return node("p", {}, button);
  }

  function drawPeople(items, board) {
    if (!items.length) {
      people.replaceChildren(node("p", {}, t("Nobody does now.")));
      return;
    }
    people.replaceChildren(...items.map((one) => node("div", { class: "stack" },
      node("p", {}, node("strong", {}, one.name), " ", stateMark(context, t, one.content.state),
        ` · ${t("holds {held}", { held: one.content.held })} · ${t(one.content.fatigue)}`),
      ...one.content.proposals.map((proposal) => personal(one, proposal, board)))));
  }

  async function show() {
    try {
      const [team, open, shared, board] = await Promise.all([
        context.get(results, { kind: "team", limit: 1 }), context.get(results, { kind: "proposal", limit: 5 }),
        context.get(`/tools/${context.tool}/own/shared`), context.get("/shift/board"),
      ]);
      const newest = team.items[0]?.content;
      const fresh = newest && Date.now() - new Date(team.items[0].time) < 120_000;
      state.replaceChildren(
        !fresh || !newest.enough
          ? node("p", { class: "empty" }, t("Too few take part to say anything: at least {count} are needed.", { count: newest?.at_least ?? 5 }))
          : facts([
            [t("Overloaded, about"), percent(newest.overloaded)],
            [t("Under-used, about"), percent(newest.underloaded)],
            [t("Mean load, about"), percent(newest.load)],
            [t("Of so many operators"), newest.people],
          ]),
        facts([
          [t("Alerts that wait"), board.waiting],
          [t("Held by all"), board.people.reduce((sum, one) => sum + one.held, 0)],
          [t("Cap of an operator"), [...new Set(board.people.filter((one) => one.role === "operator").map((one) => one.cap))].join(", ")],
        ]));
      drawProposals(open.items);
      drawPeople(shared.items, board);
    } catch (problem) {
      said.textContent = problem.message;
    }
  }

  const stop = context.on("result", (news) => {
    if (news.tool === context.tool) show();
  });
  const timer = setInterval(() => { if (!document.hidden) show(); }, EVERY_MS);
  show();
  return () => {
    stop();
    clearInterval(timer);
  };
}
