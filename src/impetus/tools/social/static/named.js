// What the tool's own names are called on the page.

export function trend(t, name) {
  return { new: t("new"), growing: t("growing"), steady: t("steady"), falling: t("falling") }[name] ?? name;
}

export function kind(t, name) {
  return {
    incitement: t("Call to violence"),
    weapon: t("Weapon with intent"),
    gathering: t("Planned gathering"),
    claim: t("Claim of an attack"),
    eyewitness: t("Eyewitness of an emergency"),
    rumour: t("Rumour or panic"),
    none: t("Other"),
  }[name] ?? name;
}

export function sentiment(t, name) {
  return { negative: t("Negative"), neutral: t("Neutral"), positive: t("Positive") }[name] ?? name;
}

export function language(t, code) {
  return { en: t("English"), it: t("Italian"), no: t("Norwegian"), und: t("Unclear") }[code] ?? code;
}
