"use strict";
// An upload with a bar, and files that are dropped onto the form. Without this script the same form is sent
// as forms are.
(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const file = form.querySelector("input[type=file]");
  const name = form.querySelector("input[name=name]");
  const bar = form.querySelector("progress");
  const said = form.querySelector("[data-said]");

  const suggested = () => {
    if (name.value || !file.files.length) return;
    name.value = file.files[0].name.toLowerCase().replace(/\.(csv|tsv|jsonl|ndjson|txt|zip)?(\.(gz|zst))?$/, "")
      .replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "").slice(0, 64);
  };
  file.addEventListener("change", suggested);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) {
        file.files = event.dataTransfer.files;
        suggested();
      }
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    const sending = new XMLHttpRequest();
    const began = Date.now();
    button.disabled = true;
    bar.hidden = false;
    sending.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
      const rate = loaded / Math.max((Date.now() - began) / 1000, 0.1);
      const left = Math.ceil((total - loaded) / rate);
      said.textContent = loaded < total
        ? `${Math.floor(100 * loaded / total)} %, ${(rate / 2 ** 20).toFixed(1)} MiB/s, ${left} s left`
        : "Sent. The profile is being made.";
    });
    sending.addEventListener("load", () => {
      if (sending.status < 300) {
        location.assign(sending.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(sending.responseText, "text/html");
      said.textContent = page.querySelector("main p")?.textContent ?? "It was not taken.";
      button.disabled = false;
      bar.hidden = true;
    });
    sending.addEventListener("error", () => {
      said.textContent = "The connection broke. Send it again: bytes that have come are not stored twice.";
      button.disabled = false;
    });
    sending.open("POST", form.action);
    sending.send(new FormData(form));
  });
})();
