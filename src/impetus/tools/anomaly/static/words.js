// What the page says, in the reader's language; English where a word is missing.

const WORDS = {
  it: {
    "as usual": "come al solito", unusual: "insolito", "sensor apart": "sensore discordante", silent: "muto", stuck: "bloccato",
    impossible: "impossibile", "unit changed?": "unità cambiata?", "does not fit its place": "non concorda con il luogo", "Map of the streams": "Mappa dei flussi", "Find a stream": "Cerca un flusso",
    "Choose a stream on the map, in the heat map or by name.": "Scegli un flusso sulla mappa, nella mappa di calore o per nome.",
    "What speaks": "Che cosa parla", "Days like this": "Giorni simili", Neighbours: "Vicini", today: "oggi",
    "once in 10^{n} readings": "una volta in 10^{n} letture", "False alerts a day": "Falsi allarmi al giorno",
    "{count} alerts in the last {days} days at this threshold": "{count} allarmi negli ultimi {days} giorni con questa soglia",
    "Use this threshold": "Usa questa soglia", "As set up": "Come impostato", "in force": "in vigore",
    "Streams by hour": "Flussi per ora", "{watched} streams, {count} not as usual": "{watched} flussi, {count} insoliti",
    "No reading in this time": "Nessuna lettura in questo periodo", "Nothing unusual in the last two days": "Niente di insolito negli ultimi due giorni",
    "observed": "osservato", "expected": "atteso", confirmed: "confermato", dismissed: "respinto", "new": "nuovo",
  },
  nb: {
    "as usual": "som vanlig", unusual: "uvanlig", "sensor apart": "sensor avviker", silent: "taus", stuck: "henger",
    impossible: "umulig", "unit changed?": "ny enhet?", "does not fit its place": "passer ikke med stedet", "Map of the streams": "Kart over strømmene", "Find a stream": "Finn en strøm",
    "Choose a stream on the map, in the heat map or by name.": "Velg en strøm på kartet, i varmekartet eller etter navn.",
    "What speaks": "Hva som taler", "Days like this": "Dager som denne", Neighbours: "Naboer", today: "i dag",
    "once in 10^{n} readings": "én gang på 10^{n} målinger", "False alerts a day": "Falske varsler om dagen",
    "{count} alerts in the last {days} days at this threshold": "{count} varsler de siste {days} dagene med denne terskelen",
    "Use this threshold": "Bruk denne terskelen", "As set up": "Som satt opp", "in force": "gjelder",
    "Streams by hour": "Strømmer per time", "{watched} streams, {count} not as usual": "{watched} strømmer, {count} ikke som vanlig",
    "No reading in this time": "Ingen målinger i denne tiden", "Nothing unusual in the last two days": "Ikke noe uvanlig de siste to dagene",
    "observed": "målt", "expected": "forventet", confirmed: "bekreftet", dismissed: "avvist", "new": "ny",
  },
};

/** A function that says a text in a language; `{name}` in it is filled in. */
export function speaker(language) {
  const known = WORDS[language] ?? {};
  return (text, values = {}) => (known[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}
