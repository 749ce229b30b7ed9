// Options of the charts: a stream's series with its band and verdicts, its days, and the heat map of all streams.

const VERDICT = { confirmed: "severity-severe", dismissed: "ink-3" };

function axes(context, more = {}) {
  const label = { color: context.colour("ink-3"), fontSize: 11 };
  const line = { lineStyle: { color: context.colour("line-1") } };
  return {
    animation: false, textStyle: { color: context.colour("ink-2") },
    grid: { left: 52, right: 12, top: 12, bottom: 24 },
    xAxis: { type: "time", axisLabel: { ...label, hideOverlap: true }, splitLine: { show: false } },
    yAxis: { type: "value", scale: true, axisLabel: label, splitLine: line, splitNumber: 4 },
    tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: context.colour("surface-4"),
      borderColor: context.colour("line-3"), textStyle: { color: context.colour("ink-1"), fontSize: 12 } },
    ...more,
  };
}

const pairs = (times, values) => times.map((time, i) => [Date.parse(time), values[i]]);

export function seriesOption(context, say, { observations, expectations, alerts }) {
  const line = { type: "line", showSymbol: false, silent: true };
  const low = pairs(expectations.time, expectations.low);
  const band = low.map(([time, bottom], i) => [time, expectations.high[i] - bottom]);
  const observed = pairs(observations.time, observations.value);
  const nearest = (time) => observed.reduce((best, one) => (Math.abs(one[0] - time) < Math.abs(best[0] - time) ? one : best), observed[0]);
  const marks = observed.length ? alerts.map((alert) => {
    const time = Date.parse(alert.onset);
    return {
      value: [time, nearest(time)[1]], name: alert.headline,
      itemStyle: { color: context.colour(VERDICT[alert.state] ?? "accent"), borderColor: context.colour("ink-1"), borderWidth: 1 },
      symbol: alert.state === "confirmed" ? "diamond" : alert.state === "dismissed" ? "emptyCircle" : "circle",
    };
  }).filter((mark) => mark.value[0] >= observed[0][0]) : [];
  return axes(context, {
    series: [
      { ...line, name: "low", data: low, stack: "band", stackStrategy: "all", lineStyle: { opacity: 0 }, tooltip: { show: false } },
      { ...line, name: say("expected"), data: band, stack: "band", stackStrategy: "all", lineStyle: { opacity: 0 },
        areaStyle: { color: context.colour("series-band"), opacity: 1 }, tooltip: { show: false } },
      { ...line, name: say("observed"), data: observed, sampling: "lttb", z: 4, lineStyle: { color: context.colour("series-observed"), width: 1.5 } },
      { type: "scatter", name: "alerts", data: marks, symbolSize: 11, z: 6, tooltip: { show: false } },
    ],
  });
}

export function daysOption(context, say, document) {
  const hours = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}`);
  const day = (name, values, colour, width) => ({
    type: "line", name, data: values, showSymbol: false, connectNulls: true, silent: true, lineStyle: { color: colour, width }, itemStyle: { color: colour },
  });
  const shades = ["ink-2", "ink-3", "line-3"];
  return axes(context, {
    legend: { top: 0, right: 8, textStyle: { color: context.colour("ink-2"), fontSize: 11 }, icon: "roundRect", itemHeight: 3 },
    grid: { left: 52, right: 12, top: 26, bottom: 22 },
    xAxis: { type: "category", data: hours, axisLabel: { color: context.colour("ink-3"), fontSize: 11 } },
    series: [
      ...document.like.map((one, i) => day(one.day, one.hours, context.colour(shades[i] ?? "line-3"), 1.2)),
      day(say("today"), document.today.hours, context.colour("series-observed"), 2.4),
    ],
  });
}

export function heatOption(context, heat) {
  const since = Date.parse(heat.since);
  const hours = Array.from({ length: 48 }, (_, hour) => new Date(since + hour * 3_600_000)
    .toLocaleTimeString(context.locale, { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: context.zone }));
  const label = { color: context.colour("ink-3"), fontSize: 11 };
  return {
    animation: false, grid: { left: 190, right: 12, top: 6, bottom: 28 },
    xAxis: { type: "category", data: hours, axisLabel: { ...label, interval: 5 }, axisTick: { show: false } },
    yAxis: { type: "category", data: heat.streams, inverse: true, triggerEvent: true, axisTick: { show: false },
      axisLabel: { ...label, interval: 0, width: 178, overflow: "truncate" } },
    visualMap: { show: false, min: 3, max: 8, inRange: { color: [context.colour("line-3"), context.colour("severity-moderate"), context.colour("severity-severe"), context.colour("severity-extreme")] } },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: context.colour("surface-4"), borderColor: context.colour("line-3"),
      textStyle: { color: context.colour("ink-1"), fontSize: 12 }, formatter: (cell) => `${heat.streams[cell.value?.[1]] ?? cell.value}\n${hours[cell.value?.[0]] ?? ""}  10^${cell.value?.[2] ?? ""}` },
    series: [{ type: "heatmap", data: heat.cells, itemStyle: { borderWidth: 1, borderColor: context.colour("surface-1") } }],
  };
}
