// Asks before input is lost that no draft keeps: the browser has no storage, the text is too long, it is a file, or the
// form has data-asks, because its visitor has no account to which a draft could belong.

function setKept(form, isKept) {
  if (isKept) notKept.delete(form);
  else notKept.add(form);
}
const atRisk = () => [...(draftsAreOn() ? [...notKept, ...formsWithFiles()] : []), ...typedForms()].filter((form) => form.isConnected && form.ariaBusy !== "true");
const formsWithFiles = () => [...document.querySelectorAll("form input[type=file]")].filter((input) => input.files.length).map((input) => input.form);

// Forms with data-asks and typed text. A form that was refused shows the typed text as its initial values.
const typedForms = () => [...document.querySelectorAll("form[data-asks]")].filter((form) => {
  const isRefused = form.querySelector("[aria-invalid=true]") !== null;
  const initial = (control) => (isRefused ? "" : control.defaultValue);
  return [...draftFields(form).values()].flat().some((control) => control.value !== initial(control));
});

// The listener is there only while it is needed, because a browser may not cache a page that has one.
const askToStay = (event) => atRisk().length && event.preventDefault();
const watchLeaving = () => window[atRisk().length ? "addEventListener" : "removeEventListener"]("beforeunload", askToStay);
for (const kind of ["input", "change", "DOMContentLoaded"]) document.addEventListener(kind, watchLeaving);

document.addEventListener("htmx:confirm", (event) => {
  const { elt, target, issueRequest } = event.detail;
  if (event.defaultPrevented || !target) return;
  const isReplaced = (form) => !form.contains(elt) && [...form.elements].some((control) => target.contains(control));
  const forms = atRisk().filter(isReplaced);
  if (!forms.length) return;
  event.preventDefault();
  if (byId("discard")) return;
  askToDiscard(forms[0].dataset.draftName).then((isDiscarded) => {
    if (!isDiscarded) {
      // The search was not sent, so it is no repetition to choose it again.
      lastSearch.at = 0;
      return showAppliedSearch(elt);
    }
    for (const form of forms) setKept(form, true);
    issueRequest(true);
  });
});

function askToDiscard(of) {
  return new Promise((done) => {
    const holder = document.activeElement;
    const box = document.createElement("dialog");
    box.id = "discard";
    box.className = "card";
    box.setAttribute("aria-labelledby", "discard-title");
    box.setAttribute("aria-describedby", "discard-why");
    const title = document.createElement("h2");
    title.id = "discard-title";
    title.textContent = of ? `Discard your changes to ${of}?` : "Discard your changes?";
    const why = document.createElement("p");
    why.id = "discard-why";
    why.textContent = "This browser can't keep them for later.";
    const choices = document.createElement("form");
    choices.method = "dialog";
    choices.className = "stack";
    for (const [label, value, look] of [["Keep editing", "keep", ""], ["Discard", "discard", "secondary danger"]]) {
      const button = document.createElement("button");
      Object.assign(button, { textContent: label, value, className: look });
      choices.append(button);
    }
    box.append(title, why, choices);
    box.addEventListener("close", () => {
      box.remove();
      if (holder?.isConnected) holder.focus({ preventScroll: true });
      done(box.returnValue === "discard");
    });
    document.body.append(box);
    box.showModal();
  });
}

// The filters go back to what the list shows.
function showAppliedSearch(elt) {
  const form = elt.closest("[data-search]");
  const applied = new URLSearchParams(location.search);
  for (const control of form?.elements ?? []) {
    if (control.localName === "select") control.value = applied.get(control.name) ?? control.options[0].value;
    else if (control.type === "search") control.value = applied.get(control.name) ?? "";
  }
}
