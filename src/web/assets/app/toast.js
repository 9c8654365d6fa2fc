// Toasts. The server triggers one with the header HX-Trigger: {"toast":{"kind":"success","text":"…"}}, or puts one into
// the page after a redirect.
// Errors stay until a person closes them. Other toasts disappear on their own, but not under the pointer or focus.
// A toast about a change may have a button that undoes it: a form, as {action, target, fields: [[name, value]]}.
function toast(kind, text, undo) {
  if (!text) return;
  const box = document.createElement("div");
  box.className = `toast ${kind === "error" || kind === "success" ? kind : "info"}`;
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  if (undo) box.append(undoForm(undo));
  showToast(box);
}

function showToast(box) {
  const isError = box.classList.contains("error");
  const region = byId(isError ? "toast-alert" : "toast-status");
  if (!region) return;
  const text = box.firstChild.textContent;
  for (const old of region.children) if (old !== box && old.firstChild.textContent === text) old.remove();
  const close = document.createElement("button");
  close.type = "button";
  close.ariaLabel = "Dismiss";
  close.textContent = "×";
  close.addEventListener("click", () => box.remove());
  box.append(close);
  // A screen reader reads what is added to the region, so a toast of the page is added again.
  region.append(box);
  const undo = box.querySelector("form");
  if (undo) undoInPlace(undo, box);
  while (region.children.length > 3) region.firstChild.remove();
  placeToasts();
  if (isError) return;
  const stays = () => box.matches(":hover, :focus-within") || dialog?.open;
  const leave = () => (stays() ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, undo ? 12000 : 6000);
}

// Toasts leave their place if they would cover the element that has the focus.
function placeToasts() {
  const toasts = byId("toast-status").parentElement;
  const focused = document.activeElement;
  if (toasts.contains(focused) || !focused?.matches("a, button, input, select, textarea, summary")) return;
  toasts.classList.remove("away");
  const [box, own] = [toasts.getBoundingClientRect(), focused.getBoundingClientRect()];
  const isBeside = box.bottom <= own.top || box.top >= own.bottom || box.right <= own.left || box.left >= own.right;
  toasts.classList.toggle("away", box.height > 0 && !isBeside);
}
document.addEventListener("focusin", placeToasts);

function undoForm({ action, target, fields }) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  if (target) form.dataset.replaces = target;
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  const button = document.createElement("button");
  button.className = "secondary small";
  button.textContent = "Undo";
  form.append(button);
  return form;
}

// The answer of the form replaces an element, if the page has it. Otherwise it is a page.
function undoInPlace(form, box) {
  const target = form.dataset.replaces;
  if (!target || !document.querySelector(target)) return;
  form.setAttribute("hx-post", form.getAttribute("action"));
  form.setAttribute("hx-target", target);
  form.setAttribute("hx-swap", "outerHTML");
  // A form that was refused without a session is sent again later.
  form.addEventListener("htmx:afterRequest", ({ detail }) => detail.xhr.status !== 401 && box.remove());
  htmx.process(form);
}

document.addEventListener("toast", ({ detail }) => toast(detail.kind, detail.text, detail.undo));
const shownToasts = () => document.querySelectorAll("#toast-status > .toast, #toast-alert > .toast");
for (const box of shownToasts()) showToast(box);
// A page that a person goes back to does not report the same change again.
window.addEventListener("pagehide", () => shownToasts().forEach((box) => box.remove()));
