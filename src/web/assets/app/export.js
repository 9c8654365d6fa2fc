// An export of any size: loads all its parts in order and saves them as one file.
document.querySelectorAll("form[data-export]").forEach((form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    setBusy(form, true);
    const progress = form.querySelector("[data-progress]");
    const parts = [];
    try {
      const days = [...new FormData(form)].filter(([, value]) => value !== "");
      for (let cursor = ""; cursor !== null; ) {
        const query = new URLSearchParams(cursor ? [...days, ["cursor", cursor]] : days);
        const answer = await persist("GET", `${form.dataset.export}?${query}`);
        parts.push(await answer.blob());
        cursor = answer.headers.get("X-Next-Cursor");
        const count = parts.length;
        if (cursor) progress.textContent = `${count} ${count === 1 ? "part" : "parts"} read…`;
      }
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
      link.download = form.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      progress.textContent = "Done.";
    } catch (error) {
      progress.textContent = "";
      if (!error.isCanceled) toast("error", error instanceof TypeError ? "No connection. Try again." : error.message);
    }
    setBusy(form, false);
  });
});
