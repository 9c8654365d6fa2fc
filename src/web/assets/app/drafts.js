// Drafts: what was typed into a form and not sent is kept in sessionStorage, and put back when the form appears again:
// after a reload, a link, a changed filter, a session that ended, or a crash.
//
// A draft holds only the fields that differ from the stored values, each with the value that it had before. It belongs
// to an account, and it ends when the form is accepted, canceled or discarded, after a day, or when the account signs out.
// Secrets, files and hidden fields are never in a draft.
//
// data-no-draft and data-asks leave a form out. data-draft names the draft of a form whose address does not; data-draft-open and
// data-draft-name say how a form that is not on the page is opened again, and what it changes.

const DRAFT_PREFIX = "holdfast-draft:";
const MOST_DRAFTS = 20;
const MOST_DRAFT_CHARS = 65536;
const DRAFT_AGE = 24 * 3600 * 1000;

// The page belongs to this account, even if another person signs in with the dialog.
const draftsOwner = dialog?.dataset.id;
const draftsPrefix = `${DRAFT_PREFIX}${draftsOwner}:`;
const draftsAreOn = () => Boolean(draftsOwner) && dialog.dataset.id === draftsOwner;

// Forms with input that could not be kept, because the browser has no storage or the input is too long.
const notKept = new Set();

// Forms whose draft is over until the next input. A browser reports the last change of a field when it is removed.
const overForms = new WeakSet();

const isChoice = (control) => control.type === "checkbox" || control.type === "radio";
const lines = (text) => text.replace(/\r\n?/g, "\n");
const sameValues = (some, others) => some.length === others.length && some.every((value, at) => lines(value) === lines(others[at]));

// The name of a form's draft, without the account. A form in a panel of a conflict has the name of the edit.
function draftName(form) {
  if (form.getAttribute("method")?.toLowerCase() !== "post" || form.matches("[data-anyone], [data-no-draft], [data-asks]")) return null;
  return form.dataset.draft || form.getAttribute("hx-post") || form.getAttribute("action");
}

// The controls of a draft, by the names of their fields.
function draftFields(form) {
  const fields = new Map();
  for (const control of form.elements) {
    if (!control.name || control.readOnly || !control.matches("input, select, textarea")) continue;
    if (["hidden", "password", "file", "submit", "button"].includes(control.type)) continue;
    if (control.autocomplete === "one-time-code") continue;
    fields.set(control.name, [...(fields.get(control.name) || []), control]);
  }
  return fields;
}

const valuesOf = (controls) => controls.filter((control) => !isChoice(control) || control.checked).map((control) => control.value);

// The values that the server has. A form that was refused shows the refused values, and has these in `base.` fields.
function storedValues(form, name, controls) {
  const base = hiddenField(form, `base.${name}`);
  if (base) return isChoice(controls[0]) && !base.value ? [] : [base.value];
  return controls.filter((control) => !isChoice(control) || control.defaultChecked).map(defaultValue);
}
function defaultValue(control) {
  if (isChoice(control)) return control.value;
  if (control.localName !== "select") return control.defaultValue;
  return ([...control.options].find((option) => option.defaultSelected) || control.options[0])?.value ?? "";
}
function hiddenField(form, name) {
  const field = form.elements.namedItem(name);
  return field?.type === "hidden" ? field : null;
}
const hiddenFields = (form, fits) => [...form.elements].filter((control) => control.type === "hidden" && fits(control.name));
const versionFields = (form) => hiddenFields(form, (name) => /version$/i.test(name));

// Storage that is full, blocked or broken is the same as none.
function readDraft(name) {
  try {
    return JSON.parse(sessionStorage.getItem(draftsPrefix + name));
  } catch {
    return null;
  }
}
function writeDraft(name, draft) {
  const text = JSON.stringify(draft);
  try {
    sessionStorage.removeItem(draftsPrefix + name);
    if (text.length > MOST_DRAFT_CHARS) return false;
    if (draftKeys().length >= MOST_DRAFTS) dropOldDrafts();
    sessionStorage.setItem(draftsPrefix + name, text);
    return true;
  } catch {
    return false;
  }
}
function dropDraft(name) {
  try {
    sessionStorage.removeItem(draftsPrefix + name);
  } catch {
    // Nothing is kept.
  }
}
// All keys of drafts, of all accounts.
function draftKeys() {
  try {
    return Object.keys(sessionStorage).filter((key) => key.startsWith(DRAFT_PREFIX));
  } catch {
    return [];
  }
}
// The name of a draft, after the id of its account.
const draftNameOf = (key) => key.slice(key.indexOf(":", DRAFT_PREFIX.length) + 1);
// The drafts of this account, as [name, draft].
function allDrafts() {
  const keys = draftKeys().filter((key) => key.startsWith(draftsPrefix));
  const named = keys.map((key) => [draftNameOf(key), readDraft(draftNameOf(key))]);
  return named.filter(([, draft]) => draft);
}
function dropOldDrafts() {
  const newestFirst = allDrafts().sort(([, one], [, other]) => other.at - one.at);
  for (const [name] of newestFirst.slice(MOST_DRAFTS - 1)) dropDraft(name);
}
function wipeDrafts(fits = () => true) {
  for (const key of draftKeys().filter(fits)) sessionStorage.removeItem(key);
}

// A sign-out ends the drafts of all tabs: at once in those that are open, and when they appear again in the others.
const SIGN_OUT = "holdfast-sign-out";
function reportSignOut() {
  try {
    localStorage.setItem(SIGN_OUT, Date.now());
  } catch {
    // Other tabs keep their drafts until another account signs in, or for a day.
  }
}
function lastSignOut() {
  try {
    return Number(localStorage.getItem(SIGN_OUT));
  } catch {
    return 0;
  }
}
window.addEventListener("storage", ({ key }) => {
  if (key === SIGN_OUT) wipeDrafts();
});

// Keeps what differs from the stored values. A field that the form does not show stays in the draft.
function keepDraft(form) {
  const name = draftName(form);
  if (!name || !draftsAreOn() || form.closest(".conflict")) return;
  const before = readDraft(name);
  const fields = { ...before?.fields };
  for (const [field, controls] of draftFields(form)) {
    const initial = fields[field]?.[0] ?? storedValues(form, field, controls);
    const value = valuesOf(controls);
    if (sameValues(initial, value)) delete fields[field];
    else fields[field] = [initial, value];
  }
  if (Object.keys(fields).length === 0) return forgetDraft(form);
  const versions = Object.fromEntries(versionFields(form).map((field) => [field.name, field.value]));
  const { draftOpen: open, draftName: of } = form.dataset;
  const draft = { at: Date.now(), page: location.pathname, open, of, versions, fields };
  // The key under which the form was sent, if its outcome is not known: it must not be done twice.
  if (before?.key) draft.key = before.key;
  setKept(form, writeDraft(name, draft));
}

// The form was sent, canceled or discarded, or it has its stored values again.
function forgetDraft(form, name = draftName(form)) {
  overForms.add(form);
  if (name) dropDraft(name);
  setKept(form, true);
}

for (const kind of ["input", "change"]) {
  document.addEventListener(kind, ({ target, type }) => {
    if (!target.name || !target.form) return;
    if (type === "input") overForms.delete(target.form);
    if (!overForms.has(target.form)) keepDraft(target.form);
  });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-cancels], [data-discards]");
  if (!link) return;
  const form = link.closest("form");
  const name = link.dataset.discards || draftName(form);
  const draft = draftsAreOn() ? readDraft(name) : null;
  if (form) forgetDraft(form, name);
  else dropDraft(name);
  if (draft?.open && link.hasAttribute("hx-get")) offerUndo(name, draft);
});

// Forms that htmx sends. Only an answer of success ends the draft.
const sentForm = ({ elt, requestConfig }) => {
  const form = requestConfig.verb === "post" && elt.closest("form");
  return form && form.getAttribute("hx-post") === requestConfig.path && draftName(form) ? form : null;
};
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const form = sentForm(detail);
  if (form) updateDraft(draftName(form), { key: hiddenField(form, "key")?.value });
});
const refusedDrafts = new Set();
document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
  const form = sentForm(detail);
  if (!form) return;
  const { status } = detail.xhr;
  if (status < 300) forgetDraft(form);
  // The answer has the typed values.
  if (status === 409 || status === 422) refusedDrafts.add(draftName(form));
  if (status >= 400 && status < 500) updateDraft(draftName(form), { key: undefined });
});

// Forms that are sent as pages. A redirect, or a page of success at the form's address, means that the form was
// accepted.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.hasAttribute("hx-post")) return;
  if (form.matches("[action$='/sign-out']")) {
    wipeDrafts();
    reportSignOut();
    return notKept.clear();
  }
  const name = draftName(form);
  if (!name) return;
  setKept(form, true);
  const sent = { from: location.href.split("#")[0], to: new URL(form.getAttribute("action"), location.href).pathname };
  updateDraft(name, { sent, key: hiddenField(form, "key")?.value });
});
function updateDraft(name, changes) {
  const draft = readDraft(name);
  if (draft) writeDraft(name, { ...draft, ...changes });
}

const [arrival] = performance.getEntriesByType("navigation");
const answeredDrafts = new Set();
const isAnswer = ({ from }) => arrival?.type !== "back_forward" && document.referrer === from;
const isPageOfSuccess = ({ to }) => arrival?.responseStatus >= 200 && arrival.responseStatus < 300 && location.pathname === to;

// Returns a draft as it is at the start of a page, or `null` if its form was accepted.
function reconciled(name, { sent, ...draft }) {
  if (!draft.fields || Date.now() - draft.at > DRAFT_AGE || draft.at <= lastSignOut()) return null;
  if (!sent || !isAnswer(sent)) return draft;
  if (arrival.redirectCount > 0) return null;
  if (isPageOfSuccess(sent)) answeredDrafts.add(name);
  else refusedDrafts.add(name);
  // After a failure of the server the form may have been accepted. With its key it cannot be accepted twice.
  return arrival.responseStatus >= 500 ? draft : { ...draft, key: undefined };
}
function reconcileDrafts() {
  if (draftsOwner) wipeDrafts((key) => !key.startsWith(draftsPrefix));
  for (const key of draftKeys()) {
    let draft = null;
    try {
      draft = reconciled(draftNameOf(key), JSON.parse(sessionStorage.getItem(key)));
    } catch {
      // Another program wrote it.
    }
    if (draft) sessionStorage.setItem(key, JSON.stringify(draft));
    else sessionStorage.removeItem(key);
  }
}
reconcileDrafts();
window.addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  wipeDrafts((key) => readDraft(draftNameOf(key))?.at <= lastSignOut());
  for (const [name] of allDrafts()) updateDraft(name, { sent: undefined });
});
