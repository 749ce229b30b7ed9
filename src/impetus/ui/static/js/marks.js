// The marks on the map, drawn once each and then stamped: shape and colour say what each one is.

import { SENSOR_COLOUR, SENSOR_STATES, SEVERITIES, SEVERITY_COLOUR, SEVERITY_SHAPE, colour } from "./palette.js";

const RATIO = Math.max(1, window.devicePixelRatio || 1);

function stamp(size, draw) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(size * RATIO);
  const pen = canvas.getContext("2d");
  pen.scale(RATIO, RATIO);
  pen.translate(size / 2, size / 2);
  draw(pen);
  return { canvas, size };
}

function trace(pen, shape, radius) {
  pen.beginPath();
  if (shape === "diamond") {
    pen.moveTo(0, -radius * 1.25); pen.lineTo(radius * 1.25, 0); pen.lineTo(0, radius * 1.25); pen.lineTo(-radius * 1.25, 0);
    pen.closePath();
  } else if (shape === "triangle") {
    pen.moveTo(0, -radius * 1.15); pen.lineTo(radius * 1.15, radius * 0.9); pen.lineTo(-radius * 1.15, radius * 0.9);
    pen.closePath();
  } else if (shape === "square") {
    pen.rect(-radius * 0.9, -radius * 0.9, radius * 1.8, radius * 1.8);
  } else {
    pen.arc(0, 0, radius, 0, Math.PI * 2);
  }
}

function disc(pen, radius, fill) {
  pen.beginPath();
  pen.arc(0, 0, radius, 0, Math.PI * 2);
  pen.fillStyle = fill;
  pen.fill();
}

function sensorMark(state, large) {
  const tone = SENSOR_COLOUR[state];
  const radius = large ? 4.2 : 2.6;
  return stamp(state === "anomalous" ? 2 * Math.ceil(radius + 6) : 2 * Math.ceil(radius + 3), (pen) => {
    if (state === "anomalous") {
      pen.globalAlpha = 0.25; disc(pen, radius + 5, tone); pen.globalAlpha = 1;
      disc(pen, radius + 1.2, tone);
    } else if (state === "silent") {
      pen.lineWidth = 1.6; pen.strokeStyle = tone;
      pen.beginPath(); pen.arc(0, 0, radius + 0.8, 0, Math.PI * 2); pen.stroke();
    } else if (state === "stuck") {
      pen.fillStyle = tone; pen.fillRect(-radius, -radius, radius * 2, radius * 2);
    } else {
      pen.globalAlpha = 0.18; disc(pen, radius + 2.2, tone); pen.globalAlpha = 0.95;
      disc(pen, radius, tone);
    }
  });
}

function alertMark(severity, handled) {
  const tone = SEVERITY_COLOUR[severity];
  const radius = severity === "Extreme" ? 6.5 : severity === "Severe" ? 6 : 5;
  const shape = SEVERITY_SHAPE[severity];
  const calling = !handled && (severity === "Extreme" || severity === "Severe");
  return stamp(2 * Math.ceil(calling ? radius + 10 : radius * 1.3 + 3), (pen) => {
    if (calling) {
      pen.globalAlpha = 0.2; disc(pen, radius + 9, tone);
      pen.globalAlpha = 0.75; pen.lineWidth = 1.2; pen.strokeStyle = tone;
      pen.beginPath(); pen.arc(0, 0, radius + 6.5, 0, Math.PI * 2); pen.stroke();
      pen.globalAlpha = 1;
    }
    trace(pen, shape, radius + 1.6);
    pen.fillStyle = colour("map-land"); pen.fill();
    trace(pen, shape, radius);
    if (shape === "ring" || handled) {
      pen.globalAlpha = 0.35; pen.fillStyle = tone; pen.fill(); pen.globalAlpha = 1;
      pen.lineWidth = 1.8; pen.strokeStyle = tone; pen.stroke();
    } else {
      pen.fillStyle = tone; pen.fill();
    }
  });
}

const SENSOR_MARKS = new Map();
const ALERT_MARKS = new Map();
for (const state of SENSOR_STATES) for (const large of [false, true]) SENSOR_MARKS.set(`${state}${large}`, sensorMark(state, large));
for (const severity of SEVERITIES) for (const handled of [false, true]) ALERT_MARKS.set(`${severity}${handled}`, alertMark(severity, handled));

export function markOfSensor(state, large) {
  return SENSOR_MARKS.get(`${state}${large}`) ?? SENSOR_MARKS.get(`unknown${large}`);
}

export function markOfAlert(severity, handled) {
  return ALERT_MARKS.get(`${severity}${handled}`) ?? ALERT_MARKS.get(`Unknown${handled}`);
}

/** The ring around what is chosen. */
export const CHOSEN = stamp(44, (pen) => {
  pen.strokeStyle = "#ffffff";
  pen.lineWidth = 1.8;
  pen.beginPath(); pen.arc(0, 0, 15, 0, Math.PI * 2); pen.stroke();
  pen.globalAlpha = 0.22; pen.lineWidth = 4;
  pen.beginPath(); pen.arc(0, 0, 19, 0, Math.PI * 2); pen.stroke();
});
