"use strict";
// Judges a specification while somebody writes it: the same form is sent to be checked, which changes nothing,
// and what the page says of it is shown beside the text. Without this script a button does it.
(() => {
  const area = document.querySelector("textarea[data-check]");
  if (!area) return;
  const PAUSE = 500;
  let timer;
  let asking;

  async function check() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const body = new URLSearchParams(new FormData(area.form));
      const answer = await fetch(area.dataset.check, { method: "POST", body, signal, redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["verdict", "network"]) {
        const [now, next] = [document.getElementById(id), page.getElementById(id)];
        if (next && !next.isEqualNode(now)) now.replaceWith(document.adoptNode(next));
      }
      const judged = page.querySelector("textarea[data-check]");
      if (judged) area.setAttribute("aria-invalid", judged.getAttribute("aria-invalid") ?? "false");
    } catch {
      // what is written next is asked about again, and the button is there
    }
  }

  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
})();
