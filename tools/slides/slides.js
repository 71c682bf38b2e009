// One slide after the other. Keys, buttons, and the place in the address, so that a reload stays.

const slides = [...document.querySelectorAll(".slide")];
const notes = document.getElementById("notes");
const where = document.getElementById("where");
let current = -1;
let beside = null; // the window of the notes
let typed = ""; // a number on its way

const SMALLEST = 24; // CSS pixels, on a screen of 720 lines

/** Equations, when a slide is first shown: MathJax cannot measure what is hidden. */
async function typeset(element) {
  if (element.dataset.typeset) return;
  element.dataset.typeset = "yes";
  await MathJax.startup.promise;
  await MathJax.typesetPromise([element]);
}

function overflows(slide) {
  const body = slide.querySelector(".body");
  const box = slide.getBoundingClientRect();
  const inside = [body, ...body.querySelectorAll(":scope > *, .words, .live, pre")];
  return inside.some((e) => {
    const b = e.getBoundingClientRect();
    return b.bottom > box.bottom + 1 || b.right > box.right + 1;
  });
}

/** Smaller type until the slide holds it all, down to the smallest; then smaller players. */
function fit(slide) {
  const body = slide.querySelector(".body");
  body.style.setProperty("--fit", 1);
  const size = parseFloat(getComputedStyle(body).fontSize);
  const least = (SMALLEST * Math.min(innerHeight, innerWidth * 0.5625)) / 720 / size;
  for (let scale = 1; overflows(slide) && scale > least; scale -= 0.05) {
    body.style.setProperty("--fit", Math.max(scale - 0.05, least));
  }
  for (const live of slide.querySelectorAll(".live")) {
    live.style.zoom = 1;
    for (let zoom = 1; overflows(slide) && zoom > 0.5; zoom -= 0.05) live.style.zoom = zoom - 0.05;
  }
}

async function prepare(i) {
  const slide = slides[i];
  await typeset(slide);
  await Promise.all([...slide.querySelectorAll("img")].map((img) => img.decode().catch(() => {})));
  if (i === current) fit(slide);
  slide.dataset.ready = "yes";
}

async function tell() {
  for (const [i, note] of [...notes.children].entries()) note.classList.toggle("current", i === current);
  if (!beside || beside.closed) return;
  const note = notes.children[current];
  await typeset(note);
  const next = slides[current + 1]?.querySelector("h1, h2").textContent ?? "the end";
  beside.document.title = `notes ${current + 1}`;
  beside.document.body.innerHTML =
    `<h1>${current + 1} of ${slides.length}</h1>${note.innerHTML}<hr><p>Next: ${next}</p>`;
}

function show(i) {
  i = Math.max(0, Math.min(slides.length - 1, i));
  if (i === current) return;
  current = i;
  slides.forEach((slide, j) => slide.classList.toggle("current", j === i));
  where.textContent = `${i + 1} / ${slides.length}`;
  history.replaceState(null, "", `#${i + 1}`);
  // So that the heading is read out; but who presses a button may want to press it again.
  if (!document.activeElement.closest("nav")) slides[i].querySelector("h1, h2").focus({ preventScroll: true });
  prepare(i);
  tell();
}

function openNotes() {
  beside = window.open("", "flowerdiff-notes", "width=760,height=820");
  if (!beside) return; // the browser allows no window: it has asked the person
  beside.document.head.innerHTML =
    '<meta charset="utf-8"><style>body{font:18px/1.45 system-ui,sans-serif;margin:1em 2em}' +
    "pre{white-space:pre-wrap;background:#eee;padding:.5em}h1{font-size:1em}" +
    // MathJax adds each equation a second time, for screen readers; its own style stays behind.
    "mjx-assistive-mml{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}</style>";
  beside.document.documentElement.lang = "en";
  beside.onkeydown = keys; // the slides move from either window
  tell();
}

function keys(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const own = event.target.closest?.(".live, nav");
  const page = { PageDown: 1, PageUp: -1 }[event.key];
  const arrow = { ArrowRight: 1, ArrowLeft: -1, " ": event.shiftKey ? -1 : 1 }[event.key];
  const end = { Home: 0, End: slides.length - 1 }[event.key];
  if (page) show(current + page);
  else if (own) return; // a player and a button have keys of their own
  else if (arrow) show(current + arrow);
  else if (end !== undefined) show(end);
  else if (event.key === "n") openNotes();
  else if (event.key === "f") {
    document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  } else if (/^\d$/.test(event.key)) {
    typed += event.key;
    return;
  } else if (event.key === "Enter" && typed) show(Number(typed) - 1);
  else return;
  typed = "";
  event.preventDefault();
}

document.addEventListener("keydown", keys);
document.getElementById("back").onclick = () => show(current - 1);
document.getElementById("on").onclick = () => show(current + 1);
document.getElementById("notes-button").onclick = openNotes;
addEventListener("resize", () => current >= 0 && fit(slides[current]));
const asked = () => (Number(location.hash.slice(1)) || 1) - 1;
addEventListener("hashchange", () => show(asked()));
// A player is laid out when its code has come: then the slide is measured again. (Not when its film
// runs, which changes things inside of it.)
new MutationObserver((changes) => {
  if (current >= 0 && changes.some(({ target }) => target.matches(".live"))) fit(slides[current]);
}).observe(document.querySelector("main"), { childList: true, subtree: true });
show(asked());
