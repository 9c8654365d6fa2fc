// An ordinary form is sent once, even if its button is pressed several times, and only while its person is signed in.
// A form with data-anyone needs no session.
let checked = null;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form === checked) return (checked = null);
  if (form.ariaBusy === "true") return event.preventDefault();
  if (dialog && !form.hasAttribute("data-anyone")) {
    event.preventDefault();
    sendSignedIn(form, event.submitter, document.activeElement);
  }
  setBusy(form, true);
});
async function sendSignedIn(form, submitter, holder) {
  const isSignedIn = await isStillSignedIn(holder);
  setBusy(form, false);
  if (!isSignedIn) return holder?.isConnected && holder.focus({ preventScroll: true });
  checked = form;
  form.requestSubmit(submitter);
  // The button that was pressed is part of the form, so it is disabled after the form is sent. A form with an invalid
  // field is not sent.
  if (checked === null) setBusy(form, true);
  checked = null;
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[aria-busy]")) setBusy(form, false);
});
function setBusy(form, busy) {
  if (busy) form.ariaBusy = "true";
  else form.removeAttribute("aria-busy");
  for (const button of form.querySelectorAll("[type=submit]")) button.disabled = busy;
}

// Whether a form has input that was not sent, or that the server rejected. Such input is never discarded.
function hasEdits(form) {
  if (form.getAttribute("method")?.toLowerCase() !== "post") return false;
  if (form.closest(".conflict") || form.querySelector("[aria-invalid=true], .error")) return true;
  return [...form.elements].some((control) => {
    // After a rejection the form contains the rejected input; a `base.` field has the original value.
    const base = form.elements.namedItem(`base.${control.name}`);
    if (base && base !== control && base.value !== control.value) return true;
    if (control.type === "hidden") return false;
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    if (control.localName === "select") {
      const initial = [...control.options].findIndex((option) => option.defaultSelected);
      return control.selectedIndex !== Math.max(initial, 0);
    }
    return "defaultValue" in control && control.value !== control.defaultValue;
  });
}

// The chosen option of a list may be wider than the list. Its title says it, however it was chosen.
for (const kind of ["change", "focusin", "pointerover"]) {
  document.addEventListener(kind, ({ target }) => {
    if (target.matches?.("select[data-titled]")) target.title = target.selectedOptions[0]?.label ?? "";
  });
}
