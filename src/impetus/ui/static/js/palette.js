// Colours and shapes, read from css/tokens.css so that there is one scale for all.

const style = getComputedStyle(document.documentElement);

export function colour(name) {
  return style.getPropertyValue(`--${name}`).trim();
}

export const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor", "Unknown"];
export const SEVERITY_RANK = Object.fromEntries(SEVERITIES.map((name, rank) => [name, rank]));
export const SEVERITY_COLOUR = Object.fromEntries(SEVERITIES.map((name) => [name, colour(`severity-${name.toLowerCase()}`)]));
export const SEVERITY_SHAPE = { Extreme: "diamond", Severe: "triangle", Moderate: "square", Minor: "circle", Unknown: "ring" };

export const SENSOR_STATES = ["ok", "anomalous", "silent", "stuck", "unknown"];
export const SENSOR_COLOUR = Object.fromEntries(SENSOR_STATES.map((name) => [name, colour(`sensor-${name}`)]));

export const SANS = style.getPropertyValue("--sans").trim();
export const MONO = style.getPropertyValue("--mono").trim();
