// Readings over time with the band that was expected, and marks where an alert was raised.

import { dayText, minuteTime, momentText, shortDay, unit, value, withUnit, word } from "./format.js";
import { t } from "./i18n.js";
import { MONO, SANS, SEVERITY_COLOUR, colour } from "./palette.js";

const { echarts } = window;
const DAY = 86_400_000;

function pairs(times, values) {
  const made = new Array(times.length);
  for (let i = 0; i < times.length; i += 1) made[i] = [Date.parse(times[i]), values[i]];
  return made;
}

function label(text, size = 11) {
  return { color: colour("ink-3"), fontFamily: SANS, fontSize: size, formatter: text };
}

export class SeriesChart {
  #observed = [];
  #span = [0, 0];
  #unit = "";
  #mini;
  #last = 0;
  #shown = false;

  /** `mini` draws without axes' names and legend, for a small place. */
  constructor(place, { mini = false } = {}) {
    this.#mini = mini;
    this.chart = echarts.init(place, null, { renderer: "canvas" });
    this.resize = new ResizeObserver(() => this.chart.resize({ silent: true }));
    this.resize.observe(place);
  }

  /** Everything afresh: columns of the interface, alerts to mark, the span in milliseconds. */
  show({ observations, expectations, alerts = [], unit: code, since, until }) {
    this.#shown = true;
    this.#unit = code;
    this.#span = [since, until];
    this.#observed = pairs(observations.time, observations.value);
    this.#last = this.#observed.at(-1)?.[0] ?? 0;
    const low = pairs(expectations.time, expectations.low);
    const band = low.map(([time, bottom], i) => [time, expectations.high[i] - bottom]);
    const middle = pairs(expectations.time, expectations.middle);
    this.chart.setOption(this.#option(low, band, middle, alerts), { notMerge: true });
  }

  /** One more reading at the right end; the window moves on with it. */
  append(time, reading) {
    if (!this.#shown || time <= this.#last) return;
    this.#last = time;
    this.#observed.push([time, reading]);
    const width = this.#span[1] - this.#span[0];
    if (time > this.#span[1]) this.#span = [time - width, time];
    while (this.#observed.length > 2 && this.#observed[1][0] < this.#span[0]) this.#observed.shift();
    this.chart.setOption({
      xAxis: { min: this.#span[0], max: this.#span[1] },
      series: [{ id: "observed", data: this.#observed }, { id: "now", data: [this.#observed.at(-1)] }],
    });
  }

  dispose() {
    this.resize.disconnect();
    this.chart.dispose();
  }

  #nearest(time) {
    let best = null;
    for (const point of this.#observed) {
      if (best === null || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
    }
    return best ? best[1] : null;
  }

  #marks(alerts) {
    return alerts.filter((alert) => Date.parse(alert.onset) >= this.#span[0]).map((alert) => {
      const time = Date.parse(alert.onset);
      const late = time > this.#span[1] - 0.12 * (this.#span[1] - this.#span[0]);
      return { value: [time, this.#nearest(time)], label: { position: late ? "left" : "top" }, itemStyle: { color: SEVERITY_COLOUR[alert.severity] }, severity: alert.severity, headline: alert.headline };
    }).filter((mark) => mark.value[1] !== null);
  }

  #areas(alerts) {
    return alerts.filter((alert) => Date.parse(alert.ended ?? alert.sent) >= this.#span[0]).map((alert) => [
      { xAxis: Math.max(this.#span[0], Date.parse(alert.onset)), itemStyle: { color: SEVERITY_COLOUR[alert.severity], opacity: 0.11 } },
      { xAxis: Date.parse(alert.ended ?? alert.sent) },
    ]);
  }

  #option(low, band, middle, alerts) {
    const mini = this.#mini;
    const wide = this.#span[1] - this.#span[0] > DAY * 1.5;
    const line = { type: "line", showSymbol: false, symbol: "none", silent: true, animation: false };
    const marks = this.#marks(alerts);
    return {
      animation: false,
      textStyle: { fontFamily: SANS },
      grid: mini ? { left: 36, right: 8, top: 10, bottom: 20 } : { left: 50, right: 16, top: 26, bottom: 26 },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("surface-4"), borderColor: colour("line-3"),
        textStyle: { color: colour("ink-1"), fontFamily: SANS, fontSize: 12 }, axisPointer: { lineStyle: { color: colour("line-3") } },
        formatter: (points) => this.#tip(points),
      },
      xAxis: {
        type: "time", min: this.#span[0], max: this.#span[1], splitNumber: mini ? 3 : 8,
        axisLine: { lineStyle: { color: colour("line-2") } }, axisTick: { show: false }, splitLine: { show: false },
        axisLabel: { ...label((time) => (wide ? shortDay(time) : minuteTime(time)), mini ? 10 : 11), hideOverlap: true, fontFamily: MONO },
      },
      yAxis: {
        type: "value", scale: true, splitNumber: mini ? 2 : 4, name: mini ? "" : unit(this.#unit), nameGap: 9,
        nameTextStyle: { color: colour("ink-3"), fontSize: 11, align: "left", padding: [0, 0, 0, -40] },
        axisLabel: { ...label((reading) => value(reading), mini ? 10 : 11), fontFamily: MONO },
        splitLine: { lineStyle: { color: colour("line-1") } },
      },
      series: [
        { ...line, id: "low", name: "low", data: low, stack: "band", stackStrategy: "all", lineStyle: { opacity: 0 } },
        { ...line, id: "band", name: "band", data: band, stack: "band", stackStrategy: "all", lineStyle: { opacity: 0 }, areaStyle: { color: colour("series-band"), opacity: 1 } },
        { ...line, id: "middle", name: "middle", data: middle, lineStyle: { color: colour("series-expected"), width: 1.2, type: [4, 3] } },
        {
          ...line, id: "observed", name: "observed", data: this.#observed, lineStyle: { color: colour("series-observed"), width: 1.6, join: "round" },
          sampling: "lttb", z: 4, markArea: { silent: true, data: this.#areas(alerts) },
        },
        {
          id: "now", name: "now", type: "scatter", data: this.#observed.slice(-1), symbolSize: 6, silent: true, z: 5,
          itemStyle: { color: colour("series-observed") }, animation: false,
        },
        {
          id: "marks", name: "marks", type: "scatter", data: marks, symbolSize: mini ? 9 : 11, z: 6, animation: false,
          itemStyle: { borderColor: "#fff", borderWidth: 1.4 },
          label: { show: !mini && marks.length <= 8, position: "top", fontSize: 11, color: colour("ink-1"), formatter: (mark) => word(mark.data.severity) },
          labelLayout: { hideOverlap: true },
        },
      ],
    };
  }

  #tip(points) {
    if (!points.length) return "";
    const by = Object.fromEntries(points.map((point) => [point.seriesId ?? point.seriesName, point]));
    const time = points[0].axisValue;
    const lines = [`${new Date(time).toDateString() === new Date().toDateString() ? "" : `${dayText(time)} `}${momentText(time).split(" ").at(-1)}`];
    if (by.observed) lines.push(`${t("observed")}  ${withUnit(by.observed.data[1], this.#unit)}`);
    if (by.low && by.band) lines.push(`${t("expected")}  ${value(by.low.data[1])} – ${withUnit(by.low.data[1] + by.band.data[1], this.#unit)}`);
    return lines.join("\n");
  }
}
