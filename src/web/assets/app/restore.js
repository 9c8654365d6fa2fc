// Puts drafts back: into the forms that appear, or, for a form that is not on the page, as an offer to open it.

const seenControls = new WeakSet();
const draftNotices = new WeakMap();

// Restores the typed values on top of the current ones. No other person's change is overwritten: if the same field has
// changed, the form keeps the version of the draft, and the answer shows both values. A form without `base.` fields
// cannot tell its fields apart, so it keeps that version after any change.
function restoreDraft(form, draft) {
  const fields = draftFields(form);
  const restored = [];
  const hidden = [];
  const setHidden = (field, value) => {
    hidden.push([field, field.value]);
    field.value = value;
  };
  const isComparing = hiddenFields(form, (name) => name.startsWith("base.")).length > 0;
  let overlaps = !isComparing;
  for (const [name, [initial, value]] of Object.entries(draft.fields)) {
    const controls = fields.get(name);
    if (!controls) continue;
    const stored = storedValues(form, name, controls);
    if (sameValues(stored, value)) {
      delete draft.fields[name];
      continue;
    }
    const base = hiddenField(form, `base.${name}`);
    if (base && !sameValues(stored, initial)) {
      overlaps = true;
      setHidden(base, initial[0] ?? "");
    }
    putValues(controls, value);
    if (sameValues(valuesOf(controls), value)) restored.push(controls[0]);
    else fields.delete(name);
  }
  const changed = versionFields(form).filter(({ name, value }) => draft.versions[name] && draft.versions[name] !== value);
  if (overlaps) for (const field of changed) setHidden(field, draft.versions[field.name]);
  const key = hiddenField(form, "key");
  if (draft.key && key) setHidden(key, draft.key);
  const left = Object.entries(draft.fields).filter(([name]) => !fields.has(name));
  if (restored.length + left.length === 0) return forgetDraft(form);
  for (const control of restored) openAround(control);
  showRestored(form, { restored, hidden, left, isOld: overlaps && changed.length > 0, isNew: changed.length > 0 });
  restored[0]?.dispatchEvent(new Event("change", { bubbles: true }));
}
function putValues(controls, values) {
  controls.forEach((control, at) => {
    if (isChoice(control)) control.checked = values.includes(control.value);
    else if (values[at] !== undefined) control.value = values[at];
    // An option that is no longer there.
    if (control.localName === "select" && control.selectedIndex < 0) control.value = defaultValue(control);
  });
}
function openAround(control) {
  for (let details = control.closest("details"); details; details = details.parentElement.closest("details")) details.open = true;
}

function draftNotice(words, buttons) {
  const notice = document.createElement("div");
  notice.className = "notice info draft";
  const line = document.createElement("p");
  line.textContent = words;
  notice.append(line);
  for (const [label, action] of buttons) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "secondary small";
    button.textContent = label;
    button.addEventListener("click", action);
    notice.append(button);
  }
  return notice;
}

function showRestored(form, { restored, hidden, left, isOld, isNew }) {
  let words = "Your unsaved changes were restored.";
  if (isOld) words += " This has changed since then. Save to compare.";
  else if (isNew) words += " The other fields show the current values.";
  const discard = () => {
    forgetDraft(form);
    form.reset();
    for (const [field, value] of hidden) field.value = value;
    const [control] = restored.length ? restored : form.elements;
    control?.dispatchEvent(new Event("change", { bubbles: true }));
    notice.remove();
    (control || byId("content")).focus();
  };
  const notice = draftNotice(words, [["Discard", discard]]);
  notice.role = "status";
  if (left.length) {
    const list = document.createElement("p");
    const text = left.map(([name, [, value]]) => `${isolated(name.replace(/^fields\./, ""))}: ${value.map(isolated).join(", ")}`).join(" · ");
    list.textContent = `These changes don't fit this form: ${text}`;
    notice.append(list);
  }
  draftNotices.get(form)?.remove();
  draftNotices.set(form, notice);
  const [first] = restored;
  // A button that htmx disables is the first one in a form, so the notice is outside of it.
  if (form.closest("td, .deciding")) form.after(notice);
  else if (form.closest(".heading")) form.closest(".heading").after(notice);
  else if (first && !form.contains(first)) first.closest(".field").before(notice);
  else form.before(notice);
}

// The form of a draft may be behind a link, such as the form of a row. The page offers to open it.
const draftOpener = ({ open }) => [...document.querySelectorAll("[hx-get]")].find((link) => link.getAttribute("hx-get") === open);
function offerDrafts() {
  const present = new Set([...document.forms].map(draftName));
  const isHere = (draft) => draft.open && (draft.page === location.pathname || draftOpener(draft));
  const waiting = draftsAreOn() ? allDrafts().filter(([name, draft]) => !present.has(name) && isHere(draft)) : [];
  const shown = byId("drafts");
  const names = waiting.map(([name]) => name).join("\n");
  if (names === (shown?.dataset.names ?? "")) return;
  shown?.remove();
  if (!names) return;
  const box = document.createElement("div");
  box.id = "drafts";
  box.role = "status";
  box.dataset.names = names;
  for (const [name, draft] of waiting) {
    const discard = () => {
      dropDraft(name);
      offerDrafts();
      byId("content").focus({ preventScroll: true });
    };
    const words = `You have unsaved changes to ${draft.of}.`;
    const notice = draftNotice(words, [["Continue editing", () => openDraft(name, draft)], ["Discard", discard]]);
    for (const button of notice.querySelectorAll("button")) button.setAttribute("aria-label", `${button.textContent}: ${draft.of}`);
    box.append(notice);
  }
  const heading = [...byId("content").querySelectorAll(":scope > .crumb, :scope > .heading, :scope > h1")].pop();
  if (heading) heading.after(box);
  else byId("content").prepend(box);
}
// A row that the list does not show is edited on the page of its lead.
function openDraft(name, draft) {
  const link = draftOpener(draft);
  if (link) return link.click();
  const [there] = draft.open.split("?");
  const [page] = name.split("?");
  if (page !== name) {
    const other = readDraft(page);
    writeDraft(page, { ...draft, open: there, fields: { ...other?.fields, ...draft.fields } });
    dropDraft(name);
  }
  location.assign(there);
}
// A row or form that was closed by mistake, for example with Escape, can be opened again as it was.
function offerUndo(name, draft) {
  toast("info", `Your changes to ${draft.of} were discarded.`);
  const box = byId("toast-status").lastElementChild;
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "secondary small";
  undo.textContent = "Undo";
  undo.addEventListener("click", () => {
    box.remove();
    writeDraft(name, draft);
    openDraft(name, draft);
  });
  box?.lastElementChild.before(undo);
}

// A page of success that shows the sent values in its form only looked at them, such as the preview of an import.
function isShown(form, draft) {
  const fields = draftFields(form);
  return Object.entries(draft.fields).every(([name, [, value]]) => fields.has(name) && sameValues(storedValues(form, name, fields.get(name)), value));
}

function lookForDrafts() {
  if (!draftsAreOn()) return;
  for (const form of document.forms) {
    const name = draftName(form);
    if (!name || form.closest(".conflict")) continue;
    const fresh = [...draftFields(form).values()].flat().filter((control) => !seenControls.has(control));
    for (const control of fresh) seenControls.add(control);
    const draft = fresh.length ? readDraft(name) : null;
    if (answeredDrafts.has(name) && draft && isShown(form, draft)) answeredDrafts.delete(name);
    else if (draft && !refusedDrafts.has(name) && !answeredDrafts.has(name)) restoreDraft(form, draft);
  }
  for (const name of answeredDrafts) dropDraft(name);
  answeredDrafts.clear();
  refusedDrafts.clear();
  offerDrafts();
}
document.addEventListener("htmx:afterSettle", lookForDrafts);
// After htmx has prepared the page, because a restored form may ask for its preview.
document.addEventListener("DOMContentLoaded", lookForDrafts);
