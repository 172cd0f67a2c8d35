// What makes the pages pleasanter; every one of them works without it.
"use strict";

const LOOK_AGAIN_MS = 3000;
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const absolute = formatIn({ dateStyle: "medium", timeStyle: "short" });
const precise = formatIn({ dateStyle: "full", timeStyle: "long" });

// In the zone that the reader chose, if this browser knows it; else in its own.
function formatIn(style) {
  try {
    return new Intl.DateTimeFormat(undefined, { ...style, timeZone: document.documentElement.dataset.zone });
  } catch {
    return new Intl.DateTimeFormat(undefined, style);
  }
}

// Times in the reader's zone: how long ago when that was today, the date before that.
function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    const seconds = Math.round((moment - Date.now()) / 1000);
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
    element.textContent = Math.abs(seconds) < 86400 ? relative.format(Math.trunc(seconds / size), unit) : absolute.format(moment);
    element.title = precise.format(moment);
  }
}

function offerCopying(root) {
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
}

function offerFiltering() {
  for (const input of document.querySelectorAll("input[data-filter]")) {
    const group = document.getElementById(input.dataset.filter);
    const choices = [...group.querySelectorAll(".choice")];
    input.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (choice) => words.every((word) => choice.textContent.toLowerCase().includes(word));
      for (const choice of choices) choice.hidden = !choice.querySelector(":checked") && !fits(choice);
      group.querySelector(".none").hidden = choices.some(fits);
    });
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }
}

// Where the steps are one row that is wider than the page, the present one is shown.
function showStep() {
  const step = document.querySelector(".steps a[aria-current]");
  const row = step?.closest("ol");
  if (row) row.scrollLeft += step.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - step.offsetWidth) / 2;
}

// In a long list the present choice is in sight.
function showChoice() {
  for (const chosen of document.querySelectorAll(".list.long input:checked")) {
    const list = chosen.closest(".list");
    list.scrollTop += chosen.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 3;
  }
}

// A button that was pressed once is not pressed again before the page has changed.
function pressOnce() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    const button = event.submitter;
    if (button?.dataset.busy) button.textContent = button.dataset.busy;
    button?.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}

// The page is asked for again while it is looked at, and only what changed in it is put in its place.
function stayLive() {
  if (!document.querySelector("[data-live]")) return;
  const seen = new Map();
  const markup = (root, name) => root.querySelector(`[data-live="${name}"]`)?.innerHTML;
  async function look() {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual" });
    // The login has ended: on to where one logs in, unless something typed would be lost.
    if (answer.type === "opaqueredirect" && !document.getElementById("answers")) location.reload();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) {
      const name = region.dataset.live;
      const now = markup(fresh, name);
      if (now === undefined || now === seen.get(name)) continue;
      seen.set(name, now);
      replace(region, now);
    }
  }
  function replace(region, now) {
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    const address = focused?.getAttribute("href");
    const selected = [...region.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.name);
    const opened = [...region.querySelectorAll("details")].map((one) => one.open);
    region.innerHTML = now;
    region.querySelectorAll("details").forEach((one, at) => { one.open ||= opened[at]; });
    for (const box of region.querySelectorAll("input[type=checkbox]")) box.checked = selected.includes(box.name);
    showTimes(region);
    offerCopying(region);
    if (focused) {
      const again = [...region.querySelectorAll("a, button, input, summary")].find((one) => one.getAttribute("href") === address && one.name === focused.name && one.textContent === focused.textContent);
      again?.focus({ preventScroll: true });
    }
  }
  setInterval(() => look().catch(() => {}), LOOK_AGAIN_MS);
}

// A variable goes where somebody was typing last.
function offerInserting() {
  const texts = "#answers input[type=text], #answers textarea";
  let last = null;
  document.addEventListener("focusin", (event) => { if (event.target.matches(texts)) last = event.target; });
  for (const hint of document.querySelectorAll("[data-with-script]")) hint.hidden = false;
  for (const button of document.querySelectorAll("button[data-insert]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const field = last || document.querySelector(texts);
      if (!field) return;
      field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
      field.focus();
    });
  }
}

// A menu closes by Escape, and when something beside it is used.
function closeMenus() {
  const menu = document.querySelector("details.menu");
  if (!menu) return;
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  for (const kind of ["click", "focusin"]) addEventListener(kind, (event) => { if (!menu.contains(event.target)) menu.open = false; });
}

showTimes(document);
offerCopying(document);
offerInserting();
closeMenus();
offerFiltering();
showStep();
showChoice();
pressOnce();
stayLive();
setInterval(() => showTimes(document), 30000);
document.getElementById("problem")?.focus();
