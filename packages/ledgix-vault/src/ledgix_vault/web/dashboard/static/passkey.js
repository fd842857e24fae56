// Passkeys: a form marked with `data-passkey` gets a challenge, asks the browser, and posts the answer as its fields.

const bytesOf = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

const textOf = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const described = (list) => (list ?? []).map((each) => ({ ...each, id: bytesOf(each.id) }));

function wanted(does, options) {
  const publicKey = { ...options, challenge: bytesOf(options.challenge) };
  if (does === "create") {
    publicKey.user = { ...options.user, id: bytesOf(options.user.id) };
    publicKey.excludeCredentials = described(options.excludeCredentials);
  } else {
    publicKey.allowCredentials = described(options.allowCredentials);
  }
  return { publicKey };
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = textOf(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: textOf(credential.rawId), type: credential.type, response });
}

async function begin(form) {
  const answer = await fetch(form.dataset.options, { method: "POST", headers: { Accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail);
  return found;
}

async function run(form) {
  const does = form.dataset.passkey;
  const { ceremony, options } = await begin(form);
  const credential = await navigator.credentials[does](wanted(does, options));
  form.elements.ceremony.value = ceremony;
  form.elements.credential.value = written(credential);
  form.submit();
}

const REASONS = {
  NotAllowedError: "No passkey was used. Try again.",
  InvalidStateError: "This device has a passkey for you already.",
};

for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : []) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const flaw = form.querySelector("[data-passkey-error]");
    button.disabled = true;
    flaw.hidden = true;
    run(form).catch((error) => {
      flaw.textContent = REASONS[error.name] ?? error.message;
      flaw.hidden = false;
      button.disabled = false;
    });
  });
}
