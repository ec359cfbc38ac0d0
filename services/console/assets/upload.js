"use strict";
// An upload with a bar, in pieces, and files that are dropped onto the form. What has come stays when the connection
// breaks, or the page is left: the same file goes on from there. Without this script the same form is sent as forms
// are.
(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const file = form.querySelector("input[type=file]");
  const name = form.querySelector("input[name=name]");
  const seal = form.querySelector("input[name=seal]").value;
  const button = form.querySelector("button[type=submit]");
  const bar = form.querySelector("progress");
  const said = form.querySelector("[data-said]");
  const at = form.action.replace(/datasets$/, "uploads");
  const PIECE = 8 * 2 ** 20;
  // Of the beginning and of the end, which the fingerprint has a digest of.
  const ENDS = 2 ** 16;
  const QUIET_MS = 60_000;
  const LONGEST_PAUSE_SECONDS = 30;
  // The same asked again may be answered.
  const PASSES = [408, 425, 429, 500, 502, 503, 504];
  // Of a piece: another has come for its place, or what was begun has gone.
  const ELSEWHERE = [...PASSES, 404, 409];

  const LOST = "The connection is lost.";

  class Refused extends Error {}

  // By what the file is known again.
  async function fingerprint(chosen) {
    const { name, size, lastModified } = chosen;
    const ends = await new Blob([chosen.slice(0, ENDS), chosen.slice(-ENDS)]).arrayBuffer();
    let hash = 0x811c9dc5;
    for (const byte of new Uint8Array(ends)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return `${name} ${size} ${lastModified} ${hash.toString(16)}`;
  }

  const percent = (part, whole) => `${Math.floor(100 * part / Math.max(whole, 1))} %`;

  function suggested() {
    if (name.value || !file.files.length) return;
    name.value = file.files[0].name.toLowerCase().replace(/\.(csv|tsv|jsonl|ndjson|txt|zip)?(\.(gz|zst))?$/, "")
      .replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "").slice(0, 64);
  }

  // Says how far this file has got, if it was begun.
  async function look() {
    button.textContent = "Push";
    said.textContent = "";
    const [chosen] = file.files;
    if (!chosen) return;
    const known = await fingerprint(chosen);
    const begun = [...document.querySelectorAll("[data-fingerprint]")].find((one) => one.dataset.fingerprint === known);
    if (!begun) return;
    name.value = begun.dataset.dataset;
    button.textContent = "Resume";
    said.textContent = `${percent(begun.dataset.received, chosen.size)} of it has come already; the rest follows.`;
  }

  function why(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    return page.querySelector("main p")?.textContent ?? "It was not taken.";
  }

  // What was answered, as JSON. What passes is another kind of error.
  function read({ status, text, kind }, passes = PASSES) {
    if (passes.includes(status)) throw new Error(why(text));
    if (status >= 300) throw new Refused(why(text));
    if (!kind?.startsWith("application/json")) throw new Refused("You are not signed in any more; sign in, and choose the file again.");
    return JSON.parse(text);
  }

  async function post(address, fields) {
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams({ seal, ...fields }) });
    return { answer, status: answer.status, text: await answer.text(), kind: answer.headers.get("content-type") };
  }

  // A piece, with what of it has gone out. One that stands still is given up.
  function piece(upload, bytes, moved) {
    return new Promise((resolve, reject) => {
      const sending = new XMLHttpRequest();
      let quiet;
      const wait = () => {
        clearTimeout(quiet);
        quiet = setTimeout(() => sending.abort(), QUIET_MS);
      };
      const broken = () => reject(new Error(LOST));
      sending.upload.addEventListener("progress", ({ loaded }) => {
        wait();
        moved(loaded);
      });
      sending.addEventListener("load", () => resolve({
        status: sending.status, text: sending.responseText, kind: sending.getResponseHeader("content-type"),
      }));
      sending.addEventListener("error", broken);
      sending.addEventListener("abort", broken);
      sending.addEventListener("loadend", () => clearTimeout(quiet));
      sending.open("PATCH", `${at}/${upload.id}`);
      sending.setRequestHeader("upload-offset", upload.received);
      sending.setRequestHeader("x-seal", seal);
      wait();
      sending.send(bytes);
    });
  }

  // Until so many seconds are over, or the network is there again.
  const pause = (seconds) => new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
    addEventListener("online", resolve, { once: true });
  });

  async function push(chosen) {
    const whole = { name: name.value, file: chosen.name, bytes: chosen.size, fingerprint: await fingerprint(chosen) };
    let upload;
    // At least, as was said last.
    let come = 0;
    let broken = 0;
    let began = Date.now();
    let from = 0;
    const show = (sent) => {
      bar.value = sent;
      const rate = (sent - from) / Math.max((Date.now() - began) / 1000, 0.1);
      const left = Math.ceil((chosen.size - sent) / Math.max(rate, 1));
      said.textContent = `${percent(sent, chosen.size)}, ${(rate / 2 ** 20).toFixed(1)} MiB/s, ${left} s left`;
    };
    for (;;) {
      try {
        if (!upload) {
          upload = read(await post(at, whole));
          [began, from] = [Date.now(), upload.received];
        }
        while (upload.received < upload.bytes) {
          const { received } = upload;
          come = received;
          show(received);
          const bytes = chosen.slice(received, received + PIECE);
          const moved = (loaded) => show(Math.min(received + loaded, chosen.size));
          upload = read(await piece(upload, bytes, moved), ELSEWHERE);
          broken = 0;
        }
        said.textContent = "Sent. The profile is being made.";
        const { answer, status, text } = await post(`${at}/${upload.id}/version`, {});
        if (PASSES.includes(status)) throw new Error(why(text));
        if (status >= 300) throw new Refused(why(text));
        return answer.url;
      } catch (error) {
        if (error instanceof Refused) throw error;
        // where it stands is asked anew
        upload = upload && upload.received === upload.bytes ? upload : undefined;
        const seconds = Math.min(2 ** broken, LONGEST_PAUSE_SECONDS);
        const reason = error instanceof TypeError ? LOST : error.message;
        broken += 1;
        said.textContent = `${reason} ${percent(come, chosen.size)} has come; going on in ${seconds} s.`;
        await pause(seconds);
      }
    }
  }

  file.addEventListener("change", () => {
    suggested();
    look();
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) {
        file.files = event.dataTransfer.files;
        suggested();
        look();
      }
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [chosen] = file.files;
    button.disabled = true;
    bar.hidden = false;
    bar.max = chosen.size;
    try {
      location.assign(await push(chosen));
    } catch (error) {
      said.textContent = error.message;
      button.disabled = false;
      bar.hidden = true;
    }
  });
})();
