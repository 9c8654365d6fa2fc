// A session that ends while a page is open. A request that is refused with 401 opens a dialog to sign in, and is sent
// again once the same person has signed in. Everything that was typed stays on the page.
//
// The sign-in page answers as a fragment: its form, or no content and the event "signed-in" with the account. A person who
// has just set up a second factor gets that event with new recovery codes.

const dialog = byId("sign-in-again");
const signInForm = dialog?.querySelector("[data-sign-in]");
const askSignIn = (options) => fetch(dialog.dataset.url, { ...options, headers: { "HX-Request": "true" } });

// The events that the server sends with an answer.
function eventsOf(answer) {
  try {
    return JSON.parse(answer.headers.get("HX-Trigger")) || {};
  } catch {
    return {};
  }
}

// Opens the dialog, with an answer of the sign-in page if there is one already. Returns whether the same person signed
// in. All requests that are refused at the same time wait for the same dialog.
let signingIn = null;
// Why nothing is sent when the dialog closes.
let notSent = null;
// The account that has signed in, while the dialog still shows its new recovery codes.
let enrolled = null;
function signInAgain(holder = document.activeElement, answer = null) {
  signingIn ||= new Promise((done) => {
    notSent = "You're signed out. Nothing was sent, and what you typed is still here.";
    const finish = () => {
      signInForm.replaceChildren();
      signingIn = null;
      if (enrolled) become(enrolled);
      enrolled = null;
      if (notSent) toast("info", notSent);
      if (holder?.isConnected) holder.focus({ preventScroll: true });
      done(!notSent);
    };
    dialog.addEventListener("close", finish, { once: true });
    byId("sign-in-again-why").hidden = false;
    dialog.showModal();
    showSignIn(async () => answer || askSignIn());
  });
  return signingIn;
}

async function showSignIn(ask) {
  let answer;
  try {
    answer = await ask();
    const { "signed-in": account, toast: message } = eventsOf(answer);
    const html = await answer.text();
    if (!dialog.open) return;
    if (account && !html) return welcome(account);
    if (!html.includes("<form")) return complain(message?.text || messageFor(answer.status));
    signInForm.innerHTML = html;
    if (account) return showCodes(account);
  } catch {
    return complain("No connection. Try again.");
  }
  const email = signInForm.querySelector("[name=email]");
  if (email && !email.value) email.value = dialog.dataset.email;
  const fields = [...signInForm.querySelectorAll("input:not([type=hidden])")];
  (fields.find((field) => !field.value) || fields[0])?.focus();
}

// The person sees the recovery codes only once, so nothing is sent before they are saved.
function showCodes(account) {
  enrolled = account;
  const isSame = account.id === dialog.dataset.id;
  notSent = isSame ? "You're signed in. Nothing was sent, and what you typed is still here." : another(account);
  byId("sign-in-again-why").hidden = true;
  signInForm.querySelector("button").focus();
}

function complain(words) {
  let line = signInForm.querySelector("[role=alert]");
  if (!line) {
    line = document.createElement("p");
    line.className = "notice bad";
    line.role = "alert";
    signInForm.prepend(line);
  }
  line.textContent = words;
}

const another = ({ name }) =>
  `You're signed in as ${isolated(name)}, not ${isolated(dialog.dataset.name)}. Nothing was sent.`;

// Shows on the page who is signed in now. The drafts are those of the person before.
function become({ id, name, email, role }) {
  if (id === dialog.dataset.id) return;
  Object.assign(dialog.dataset, { id, name, email });
  wipeDrafts();
  for (const element of document.querySelectorAll("[data-account-name]")) {
    element.textContent = isolated(name);
    if (element.title) element.title = isolated(name);
  }
  for (const element of document.querySelectorAll("[data-account-role]")) element.textContent = role;
}

// If another person signs in, nothing is sent: they may not want to save what the first one typed.
function welcome(account) {
  if (account.id === dialog.dataset.id) {
    notSent = null;
    return dialog.close();
  }
  notSent = another(account);
  become(account);
  byId("sign-in-again-why").hidden = true;
  signInForm.replaceChildren();
  complain(notSent);
  const reload = document.createElement("button");
  reload.type = "button";
  reload.textContent = "Reload the page";
  reload.addEventListener("click", () => location.reload());
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = "Reloading discards what you typed. To copy it first, choose “Not now”.";
  signInForm.append(hint, reload);
  reload.focus();
}

dialog?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.ariaBusy === "true") return;
  if (enrolled) {
    const account = enrolled;
    enrolled = null;
    return welcome(account);
  }
  const body = new URLSearchParams(new FormData(form, event.submitter));
  setBusy(form, true);
  await showSignIn(() => askSignIn({ method: "POST", body }));
  setBusy(form, false);
  if (form.isConnected) form.querySelector("[type=password]")?.focus();
});
dialog?.querySelector("[data-not-now]").addEventListener("click", () => dialog.close());

// Requests of htmx that wait for the dialog: the latest of each element, as it was sent.
const refused = new Map();
async function sendAfterSignIn({ requestConfig, xhr }) {
  const isWaiting = refused.size > 0;
  refused.set(requestConfig.elt, requestConfig);
  if (isWaiting) return;
  const isSame = await signInAgain(holders.get(xhr)?.holder);
  const requests = [...refused.values()];
  refused.clear();
  if (!isSame) return;
  // A search that is repeated is not a key event that repeats.
  lastSearch.at = 0;
  for (const { elt, verb, path, formData } of requests) {
    if (elt.isConnected) htmx.ajax(verb, path, { source: elt, values: formData }).catch(() => {});
    else toast("error", "This part of the page has changed. Nothing was sent; try again.");
  }
}

// Whether a form can be sent as a page: the same person is still signed in, or signs in again. The page is left with the
// form, so this is asked before.
async function isStillSignedIn(holder) {
  let answer;
  try {
    answer = await askSignIn({ signal: AbortSignal.timeout(8000) });
  } catch (error) {
    if (!(error instanceof TypeError)) return true;
    toast("error", "No connection. What you typed is still here; try again.");
    return false;
  }
  if (eventsOf(answer)["signed-in"]?.id === dialog.dataset.id) return true;
  // The server is too busy to say. If the session is over, its answer to the form is a page that carries the form.
  if (!answer.ok) return true;
  return signInAgain(holder, answer);
}
