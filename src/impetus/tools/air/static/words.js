// What the page says, in the reader's language; English where a word is missing.

const WORDS = {
  it: {
    "people counted": "persone contate", Source: "Sorgente", Wind: "Vento", since: "da", "Minutes from now": "Minuti da ora",
    "Map of the release": "Mappa del rilascio", "No release": "Nessun rilascio", "no base map": "nessuna mappa di base",
    "likely zone": "zona probabile", "possible zone": "zona possibile", "source, 50 and 90 %": "sorgente, 50 e 90 %",
    "sensor above background": "sensore sopra il fondo", "sensor as usual": "sensore come al solito",
    "where to sample": "dove campionare", over: "finito",
  },
  nb: {
    "people counted": "personer telt", Source: "Kilde", Wind: "Vind", since: "siden", "Minutes from now": "Minutter fra nå",
    "Map of the release": "Kart over utslippet", "No release": "Ikke noe utslipp", "no base map": "ikke noe bakgrunnskart",
    "likely zone": "sannsynlig sone", "possible zone": "mulig sone", "source, 50 and 90 %": "kilde, 50 og 90 %",
    "sensor above background": "sensor over bakgrunnen", "sensor as usual": "sensor som vanlig",
    "where to sample": "hvor det bør tas prøver", over: "over",
  },
};

/** A function that says a text in a language. */
export function speaker(language) {
  const known = WORDS[language] ?? {};
  return (text) => known[text] ?? text;
}
