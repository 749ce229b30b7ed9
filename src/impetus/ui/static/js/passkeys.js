// Passkeys (Web Authentication): between the interface's JSON and what the browser's own functions take.

/** Whether this page can use passkeys: it has to come over https, or from localhost by that name. */
export const usable = "PublicKeyCredential" in window && window.isSecureContext
  && !/^[\d.]+$|:/.test(location.hostname);

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function known(list = []) {
  return list.map((one) => ({ ...one, id: bytes(one.id) }));
}

function answer(credential, ...names) {
  const response = {};
  for (const name of names) if (credential.response[name]) response[name] = text(credential.response[name]);
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

/** Let the browser make a passkey; what it answers, as JSON. */
export async function make(options) {
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    },
  });
  return answer(credential, "clientDataJSON", "attestationObject");
}

/** Let the person show a passkey; what the browser answers, as JSON. */
export async function show(options) {
  const credential = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) },
  });
  return answer(credential, "clientDataJSON", "authenticatorData", "signature", "userHandle");
}
