// Menus, keys that work everywhere on a page, and buttons that copy.

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("[data-menu][open]");
    const editing = event.target.closest("tr.editing, #lead");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (editing) editing.querySelector("[data-cancels]")?.click();
  }
  // "/" moves to the search field, as on other sites.
  if (event.key === "/" && !event.target.closest("input, select, textarea") && byId("q")) {
    event.preventDefault();
    byId("q").select();
  }
});

document.addEventListener("click", (event) => {
  const menu = document.querySelector("[data-menu][open]");
  if (menu && !menu.contains(event.target)) menu.open = false;

  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  const source = byId(copy.dataset.copy);
  source.select();
  // Only a secure page can use the clipboard. Elsewhere the text is selected, so that it can be copied by hand.
  navigator.clipboard?.writeText(source.value).then(
    () => toast("success", "Copied."),
    () => toast("info", "Selected. Press Ctrl+C or ⌘C to copy."),
  );
});
