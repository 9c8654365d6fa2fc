// The list: no empty parameters in the URL, no sort order for searches, the number of results announced.
let lastSearch = { query: "", at: 0 };
document.addEventListener("htmx:confirm", (event) => {
  const form = event.detail.elt.closest("[data-search]");
  if (!form) return;
  // Enter right after typing, or the key events of a paste, repeat the same request; the first answer is under way.
  const query = new URLSearchParams(new FormData(form)).toString();
  if (query === lastSearch.query && Date.now() - lastSearch.at < 1000) return event.preventDefault();
  lastSearch = { query, at: Date.now() };
});
// A list filters by status or by stock. Choosing one resets the other before htmx sends the request.
document.addEventListener(
  "change",
  (event) => {
    const other = { status: "stock", stock: "status" }[event.target.id];
    if (other && byId(other) && event.target.value) byId(other).value = "";
  },
  true,
);
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.closest("[data-search]")) return;
  const data = event.detail.formData;
  for (const [name, value] of [...data]) if (value === "") data.delete(name);
  if (byId("sort")) byId("sort").disabled = byId("q").value.trim() !== "";
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.xhr && event.detail.xhr.status < 400) failures = 0;
  const rows = document.querySelector("[data-rows]");
  const words = rows?.querySelector("[data-count]");
  const region = document.querySelector("[data-shown]");
  if (!words || !region) return;
  // A search that loaded more rows knows only the number of the last page; the table has all rows.
  const count = rows.querySelectorAll("[data-lead], [data-row]").length;
  if (count) words.textContent = `${count} ${count === 1 ? rows.dataset.one : rows.dataset.many} shown`;
  if (region.textContent !== words.textContent) region.textContent = words.textContent;
});
