// Making or changing a duty roster: people, the weekly pattern, and exceptions to it.

import { context } from "../context.js";
import { element } from "../dom.js";
import { t } from "../i18n.js";
import { clock, dayClock, input, openForm, rows, select, side, slugOf, ticks } from "./form.js";
import { utcOf, wallOf } from "./wall.js";

const DAYS = [
  ["monday", () => t("Monday")], ["tuesday", () => t("Tuesday")], ["wednesday", () => t("Wednesday")], ["thursday", () => t("Thursday")],
  ["friday", () => t("Friday")], ["saturday", () => t("Saturday")], ["sunday", () => t("Sunday")],
];

const days = () => DAYS.map(([day, words]) => [day, words()]);

/** People by the names they have in this form; their identifiers stay as they were. */
function people(members, channels) {
  const known = members.map((member) => member.id);
  return rows(t("People"), members, {
    add: t("Add a person"), least: 1, fresh: () => ({ name: "", channels: channels.length === 1 ? [channels[0].channel.id] : [] }),
    make: (member) => {
      const name = input(t("Name"), member.name, { required: true, maxlength: 300 });
      const reached = ticks(t("Reached by"), [...member.channels], channels.map((one) => [one.channel.id, one.channel.title]), { least: 1 });
      return { node: side(name, reached), value: () => {
        member.id ??= slugOf(name.value(), known);
        if (!known.includes(member.id)) known.push(member.id);
        return { ...member, name: name.value(), channels: reached.value() };
      } };
    },
  });
}

// Who is on duty is written by name, so that somebody who was just added can be named too.
function onDuty(label, ids, members, required) {
  const names = ids.map((id) => members.find((member) => member.id === id)?.name ?? id).join(", ");
  return input(label, names, { required, maxlength: 2000, placeholder: t("Names, with commas between") });
}

function idsOf(names, members) {
  return names.split(",").map((name) => name.trim()).filter(Boolean).map((name) => {
    const found = members.find((member) => member.name.toLowerCase() === name.toLowerCase());
    if (!found) throw new Error(t("{name} is on duty but is not among the people of this roster.", { name }));
    return found.id;
  });
}

function pattern(roster) {
  return rows(t("On duty every week"), roster.shifts, {
    add: t("Add a shift"), least: 1, fresh: () => ({ members: [], start_day: "monday", start: "08:00", end_day: "monday", end: "16:00", week: 0 }),
    make: (shift) => {
      const who = onDuty(t("Who"), shift.members, roster.members, true);
      const fields = [select(t("From"), shift.start_day, days()), clock(t("at"), shift.start.slice(0, 5)),
        select(t("To"), shift.end_day, days()), clock(t("at"), shift.end.slice(0, 5))];
      const week = input(t("Week"), (shift.week ?? 0) + 1, { type: "number", min: 1, max: 52, required: true });
      return { node: side(who, ...fields, week), value: () => {
        const [start_day, start, end_day, end] = fields.map((field) => field.value());
        return { start_day, start, end_day, end, week: week.value() - 1, names: who.value() };
      } };
    },
  });
}

function exceptions(roster, zone) {
  return rows(t("Exceptions"), roster.exceptions, {
    add: t("Add an exception"), fresh: () => ({ start: new Date().toISOString(), end: new Date(Date.now() + 86_400_000).toISOString(), members: [], reason: "" }),
    make: (exception) => {
      const who = onDuty(t("Who; empty for nobody"), exception.members, roster.members, false);
      const start = dayClock(t("From"), wallOf(exception.start, zone));
      const end = dayClock(t("To"), wallOf(exception.end, zone));
      const why = input(t("Reason"), exception.reason, { maxlength: 300 });
      return { node: side(who, start, end, why), value: () => ({ names: who.value(), start: start.value(), end: end.value(), reason: why.value() }) };
    },
  });
}

export function editRoster(entry, { channels, rosters }) {
  const roster = entry?.roster ?? { title: "", zone: context.zone, cycle_weeks: 1, members: [], shifts: [], exceptions: [] };
  const title = input(t("Title"), roster.title, { required: true, maxlength: 300 });
  const zone = input(t("Time zone"), roster.zone, { required: true, maxlength: 64, class: "input small mono" });
  const cycle = input(t("Repeats every … weeks"), roster.cycle_weeks, { type: "number", min: 1, max: 52, required: true });
  const first = input(t("Week 1 holds the day"), roster.first_week ?? new Date().toISOString().slice(0, 10), { required: true, class: "input small mono", pattern: "[0-9]{4}-[0-9]{2}-[0-9]{2}", title: "2026-03-29", maxlength: 10 });
  const members = people(roster.members.map((member) => ({ ...member })), channels);
  const shifts = pattern(roster);
  const leave = exceptions(roster, roster.zone);
  return openForm({
    title: entry ? t("Change the duty roster") : t("New duty roster"), wide: true, path: "/rosters",
    parts: [side(title, zone, cycle, first), members, shifts, leave, element("p", { class: "faint" }, t("A shift may run over midnight and over the end of the week. Times are those of the roster's time zone."))],
    body: () => {
      const all = members.value();
      return { version: entry?.version ?? 0, roster: {
        ...roster, id: roster.id ?? slugOf(title.value(), rosters.map((one) => one.roster.id)), title: title.value(), zone: zone.value(), cycle_weeks: cycle.value(), first_week: first.value(), members: all,
        shifts: shifts.value().map(({ names, ...shift }) => ({ ...shift, members: idsOf(names, all) })),
        exceptions: leave.value().map(({ names, start, end, reason }) => ({ start: utcOf(start, zone.value()), end: utcOf(end, zone.value()), reason, members: idsOf(names, all) })),
      } };
    },
    removable: entry ? `/rosters/${encodeURIComponent(roster.id)}` : null,
  });
}
