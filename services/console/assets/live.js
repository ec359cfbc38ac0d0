"use strict";
// Redraws what is marked `data-live` from the server's own page, whenever something happens: by a job's
// events (`data-events`), or from time to time (`data-every`, in seconds).
(() => {
  const root = document.querySelector("[data-events], [data-every]");
  if (!root) return;
  const AT_MOST_EVERY = 300;
  const KINDS = ["queued", "starting", "running", "training", "epoch", "progress", "checkpoint",
    "stopping", "paused", "requeued", "succeeded", "failed", "cancelled"];
  const LAST = ["succeeded", "failed", "cancelled"];
  let busy = false;
  let again = false;
  let timer;

  async function redraw() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { redirect: "error" });
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // the next event, or the next look, tries again
    }
    setTimeout(() => {
      busy = false;
      if (again) {
        again = false;
        redraw();
      }
    }, AT_MOST_EVERY);
  }

  function show(page) {
    // nothing more will come
    if (!page.querySelector("[data-events], [data-every]")) clearInterval(timer);
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = page.getElementById(part.id);
      // what somebody is typing in, or points at, stays
      if (!next || part.contains(document.activeElement) || next.isEqualNode(part)) continue;
      part.replaceWith(document.adoptNode(next));
    }
  }

  if (root.dataset.every) {
    timer = setInterval(() => document.hidden || redraw(), Number(root.dataset.every) * 1000);
    return;
  }
  const events = new EventSource(root.dataset.events);
  for (const kind of KINDS) {
    events.addEventListener(kind, () => {
      if (LAST.includes(kind)) events.close();
      redraw();
    });
  }
  addEventListener("pagehide", () => events.close());
})();
