// A form with data-passkey asks the browser for a passkey and sends what it answers. Without this script, or with a
// browser that knows no passkeys, the forms that have another way stay hidden and everything else works.
(() => {
  "use strict";
  const forms = document.querySelectorAll("form[data-passkey]");
  if (!window.PublicKeyCredential || !navigator.credentials) {
    return;
  }
  const REFRESH_MS = 240000; // a challenge lives 300 s
  let waiting = null;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const asked = async (form) => {
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } });
    if (!answer.ok) {
      throw new Error("no options");
    }
    const options = await answer.json();
    options.challenge = bytes(options.challenge);
    if (options.user) {
      options.user.id = bytes(options.user.id);
    }
    for (const list of [options.allowCredentials, options.excludeCredentials]) {
      for (const one of list || []) {
        one.id = bytes(one.id);
      }
    }
    return options;
  };

  const told = (credential) => {
    const response = credential.response;
    const said = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      said.attestationObject = text(response.attestationObject);
      said.transports = response.getTransports ? response.getTransports() : [];
    } else {
      said.authenticatorData = text(response.authenticatorData);
      said.signature = text(response.signature);
      said.userHandle = response.userHandle ? text(response.userHandle) : null;
    }
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: said,
    });
  };

  const send = (form, credential) => {
    form.elements.passkey.value = told(credential);
    form.submit();
  };

  const stopWaiting = () => {
    if (waiting) {
      waiting.abort();
      waiting = null;
    }
  };

  // Offered in the field of the identifier, where the browser can: nothing has to be pressed.
  const wait = async (form) => {
    stopWaiting();
    const mine = (waiting = new AbortController());
    setTimeout(() => { if (waiting === mine) { wait(form); } }, REFRESH_MS);
    try {
      const publicKey = await asked(form);
      send(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: mine.signal }));
    } catch (refused) {
      // Aborted or refused: the button and the other ways are there.
    }
  };

  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.dataset.busy) {
        return;
      }
      form.dataset.busy = "1";
      stopWaiting();
      try {
        const publicKey = await asked(form);
        const credential = form.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
        send(form, credential);
      } catch (refused) {
        // The person said no, or has none here. Nothing was sent.
        const note = form.querySelector("[data-passkey-failed]");
        if (note) {
          note.hidden = false;
        }
        delete form.dataset.busy;
      }
    });
    if ("conditional" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
      PublicKeyCredential.isConditionalMediationAvailable().then((can) => { if (can) { wait(form); } });
    }
  }
})();
