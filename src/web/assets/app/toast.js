// Toasts. The server triggers one with the header HX-Trigger: {"toast":{"kind":"success","text":"…"}}.
// Errors stay until a person closes them. Other toasts disappear on their own, but not under the pointer or focus.
// A toast about a change may have a button that undoes it: a form, as {action, target, fields: [[name, value]]}.
function toast(kind, text, undo) {
  const region = byId(kind === "error" ? "toast-alert" : "toast-status");
  if (!region || !text) return;
  for (const old of region.children) if (old.firstChild.textContent === text) old.remove();
  const box = document.createElement("div");
  box.className = `toast ${kind === "error" || kind === "success" ? kind : "info"}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.ariaLabel = "Dismiss";
  close.textContent = "×";
  close.addEventListener("click", () => box.remove());
  box.append(words);
  if (undo) box.append(undoForm(undo, box));
  box.append(close);
  region.append(box);
  while (region.children.length > 3) region.firstChild.remove();
  placeToasts();
  if (kind === "error") return;
  const stays = () => box.matches(":hover, :focus-within") || dialog?.open;
  const leave = () => (stays() ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, undo ? 12000 : 6000);
}

// Toasts leave their place if they would cover the element that has the focus.
function placeToasts() {
  const toasts = document.querySelector(".toasts");
  const focused = document.activeElement;
  if (toasts.contains(focused) || !focused?.matches("a, button, input, select, textarea, summary")) return;
  toasts.classList.remove("away");
  const [box, own] = [toasts.getBoundingClientRect(), focused.getBoundingClientRect()];
  const isBeside = box.bottom <= own.top || box.top >= own.bottom || box.right <= own.left || box.left >= own.right;
  toasts.classList.toggle("away", box.height > 0 && !isBeside);
}
document.addEventListener("focusin", placeToasts);

function undoForm({ action, target, fields }, box) {
  const form = document.createElement("form");
  // The cookie of a toast is not signed, so its form can only be sent to this site.
  if (!/^\/(?![/\\])/.test(action)) return "";
  form.method = "post";
  form.action = action;
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  const button = document.createElement("button");
  button.className = "secondary small";
  button.textContent = "Undo";
  form.append(button);
  if (target && document.querySelector(target)) {
    form.setAttribute("hx-post", action);
    form.setAttribute("hx-target", target);
    form.setAttribute("hx-swap", "outerHTML");
    // A form that was refused without a session is sent again later.
    form.addEventListener("htmx:afterRequest", ({ detail }) => detail.xhr.status !== 401 && box.remove());
    htmx.process(form);
  }
  return form;
}

document.addEventListener("toast", ({ detail }) => toast(detail.kind, detail.text, detail.undo));

// A toast from before a redirect is in a cookie.
const left = document.cookie.match(/(?:^|; )holdfast-toast=([^;]+)/);
if (left) {
  document.cookie = "holdfast-toast=; Max-Age=0; Path=/; SameSite=Lax";
  try {
    const { kind, text, undo } = JSON.parse(decodeURIComponent(left[1]));
    toast(kind, text, undo);
  } catch {
    // Another application on this host set a cookie of this name.
  }
}
