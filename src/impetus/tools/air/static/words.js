// What the page says, in the reader's language; English where a word is missing.

const WORDS = {
  it: {
    "people counted": "persone contate", Source: "Sorgente", Wind: "Vento", since: "da", "Minutes from now": "Minuti da ora",
    "Map of the release": "Mappa del rilascio", "No release": "Nessun rilascio", "no base map": "nessuna mappa di base",
    "likely zone": "zona probabile", "possible zone": "zona possibile", "source, 50 and 90 %": "sorgente, 50 e 90 %",
    "sensor above background": "sensore sopra il fondo", "sensor as usual": "sensore come al solito",
    "where to sample": "dove campionare", over: "finito",
    "Proposed: people in the present zone stay indoors, close windows and stop ventilation.":
      "Proposta: chi è nella zona attuale resta al chiuso, chiude le finestre e ferma la ventilazione.",
    "Proposed: people whom the zone reaches later leave across the wind; exits down-wind stay closed.":
      "Proposta: chi sarà raggiunto più tardi dalla zona se ne va di traverso al vento; le uscite sottovento restano chiuse.",
    "No level is likely to be exceeded; keep watching and take a sample for the laboratory.":
      "Probabilmente nessun livello è superato; continuare a osservare e prendere un campione per il laboratorio.",
    "no wind speed of the last ten minutes is known: {1} m/s is taken":
      "non è nota la velocità del vento degli ultimi dieci minuti: si assume {1} m/s",
    "no wind direction of the last ten minutes is known: any is taken for possible":
      "non è nota la direzione del vento degli ultimi dieci minuti: ogni direzione è possibile",
    "stability is taken from wind and hour: no radiation is measured":
      "la stabilità è dedotta da vento e ora: la radiazione non è misurata",
    "the gas is heavier than air: near the source it hugs the ground and spreads to the sides, further than drawn":
      "il gas è più pesante dell'aria: vicino alla sorgente sta a terra e si allarga ai lati, più di quanto è disegnato",
  },
  nb: {
    "people counted": "personer telt", Source: "Kilde", Wind: "Vind", since: "siden", "Minutes from now": "Minutter fra nå",
    "Map of the release": "Kart over utslippet", "No release": "Ikke noe utslipp", "no base map": "ikke noe bakgrunnskart",
    "likely zone": "sannsynlig sone", "possible zone": "mulig sone", "source, 50 and 90 %": "kilde, 50 og 90 %",
    "sensor above background": "sensor over bakgrunnen", "sensor as usual": "sensor som vanlig",
    "where to sample": "hvor det bør tas prøver", over: "over",
    "Proposed: people in the present zone stay indoors, close windows and stop ventilation.":
      "Forslag: folk i sonen nå blir inne, lukker vinduer og stopper ventilasjonen.",
    "Proposed: people whom the zone reaches later leave across the wind; exits down-wind stay closed.":
      "Forslag: folk som sonen når senere, går på tvers av vinden; utganger med vinden forblir stengt.",
    "No level is likely to be exceeded; keep watching and take a sample for the laboratory.":
      "Trolig overskrides ingen grense; følg med videre, og ta en prøve til laboratoriet.",
    "no wind speed of the last ten minutes is known: {1} m/s is taken":
      "vindstyrken de siste ti minuttene er ukjent: {1} m/s er antatt",
    "no wind direction of the last ten minutes is known: any is taken for possible":
      "vindretningen de siste ti minuttene er ukjent: enhver regnes som mulig",
    "stability is taken from wind and hour: no radiation is measured":
      "stabiliteten er tatt fra vind og klokkeslett: stråling måles ikke",
    "the gas is heavier than air: near the source it hugs the ground and spreads to the sides, further than drawn":
      "gassen er tyngre enn luft: nær kilden holder den seg ved bakken og brer seg til sidene, lenger enn tegnet",
  },
};

/** A function that says a text in a language. In a sentence of the tool `{1}`, `{2}` stand for its numbers in turn. */
export function speaker(language) {
  const known = WORDS[language] ?? {};
  return (text) => {
    if (known[text]) return known[text];
    const numbers = [];
    const pattern = text.replace(/\d+(?:\.\d+)?/g, (number) => `{${numbers.push(number)}}`);
    return known[pattern]?.replace(/\{(\d+)\}/g, (whole, place) => numbers[place - 1] ?? whole) ?? text;
  };
}
