// The player: frames behind a slider. It carries every frame in its own state, so moving through
// them needs no kernel, and works in a saved page. Plain DOM, no library: anywidget loads this file
// as it is (https://anywidget.dev/en/afm/).
//
// State (see player.py): rows, titles, frames, index, playing, fps, width, note, label.
// One frame: { images: [row][panel] data URLs, caption, alts: [row] }.

const PATIENCE = 30000; // ms without a frame, after which a walk that grows counts as abandoned
const SPEEDS = { slow: 3, normal: 8, fast: 20 };

// Paths in a 16 x 16 box, filled with the text colour. Characters like ▶ come out as emoji on phones.
const ICONS = {
  back: "M3 3h2v10H3zM13 3v10L6 8z",
  play: "M4 2v12l9-6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  forward: "M11 3h2v10h-2zM3 3v10l7-5z",
};

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function setIcon(button, icon, label) {
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

function go(model, index) {
  const last = model.get("frames").length - 1;
  model.set("index", Math.max(0, Math.min(last, index)));
  model.save_changes();
}

function play(model, playing) {
  const atEnd = model.get("index") >= model.get("frames").length - 1;
  if (playing && atEnd) model.set("index", 0);
  model.set("playing", playing);
  model.save_changes();
}

let byHand = false; // while somebody's press of Play or Space is being answered

// The clock belongs to the model, not to a view: two views of one player must not run it twice.
function initialize({ model }) {
  let clock;
  const tick = () => {
    if (model.get("index") >= model.get("frames").length - 1) play(model, false);
    else go(model, model.get("index") + 1);
  };
  const wind = () => {
    clearInterval(clock);
    if (model.get("playing")) clock = setInterval(tick, 1000 / model.get("fps"));
  };
  const begin = () => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches && !byHand;
    if (model.get("playing") && still) {
      play(model, false); // the reader asked for no motion: show where the film would end
      go(model, Infinity);
    }
    wind();
  };
  model.on("change:playing", begin);
  model.on("change:fps", wind);
  begin();
  return () => clearInterval(clock);
}

function render({ model, el }) {
  const stage = element("div", { class: "fd-stage" });
  const caption = element("p", { class: "fd-caption" });
  const [back, toggle, forward] = [0, 1, 2].map(() => element("button", { type: "button" }));
  const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "step" });
  const speed = element("select", { "aria-label": "speed", title: "speed" });
  for (const [name, fps] of Object.entries(SPEEDS)) {
    speed.append(element("option", { value: fps }, name));
  }
  const bar = element("div", { class: "fd-bar" }, back, toggle, forward, slider, speed);
  const note = element("p", { class: "fd-note", role: "status" });
  note.hidden = true;
  const root = element("div", { class: "fd-player", role: "group" }, stage, caption, bar, note);
  // Without it JupyterLab would take the keys: an arrow would leave the cell, D twice delete it. It
  // looks at what has the focus, and not at what that lies in.
  for (const control of bar.children) control.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(root);

  let images = []; // [row][panel] <img>
  let layout; // what they are laid out for
  let held = null; // what had the focus last, of all that belongs to this player ...
  let lost = null; // ... if it was disabled then
  let live = null; // a frame on its way: { frame, rows, index, total }, while the walk is growing

  const layOut = (rows, titles) => {
    root.style.setProperty("--fd-panels", titles.length);
    root.style.setProperty("--fd-width", `${model.get("width")}px`);
    root.setAttribute("aria-label", model.get("label"));
    stage.classList.toggle("fd-many", rows.length > 1);
    stage.replaceChildren(element("div", { class: "fd-corner" }));
    stage.append(...titles.map((title) => element("div", { class: "fd-title" }, title)));
    images = rows.map((row) => {
      stage.append(element("div", { class: "fd-row" }, row));
      return titles.map(() => stage.appendChild(element("img", { draggable: "false" })));
    });
  };

  const draw = () => {
    const frames = model.get("frames");
    const index = live ? live.index : model.get("index");
    const frame = live ? live.frame : frames[index];
    const playing = model.get("playing");
    const rows = live ? live.rows : model.get("rows");
    const titles = model.get("titles");
    if (!frame) return;
    if (layout !== JSON.stringify([rows, titles, model.get("width")])) {
      layout = JSON.stringify([rows, titles, model.get("width")]);
      layOut(rows, titles);
      // A second row must not push the controls below it off the screen.
      if (live && rows.length > 1) {
        box().scrollIntoView({ block: "nearest" });
      }
    }
    images.forEach((row, r) =>
      row.forEach((img, p) => {
        img.src = frame.images[r][p];
        img.alt = [rows[r], titles[p], frame.alts[r]].filter(Boolean).join("; ");
      }),
    );
    // The slider's own value text is read out when it has the focus, the caption when a button or
    // Python moved it; neither while the film runs.
    const silent = playing || live || document.activeElement === slider;
    caption.setAttribute("aria-live", silent ? "off" : "polite");
    if (caption.textContent !== frame.caption) caption.textContent = frame.caption;
    slider.setAttribute("aria-valuetext", frame.caption);
    slider.max = live ? live.total : frames.length - 1;
    slider.value = index;
    speed.value = Object.values(SPEEDS).find((fps) => fps >= model.get("fps")) ?? SPEEDS.fast;
    setIcon(toggle, playing ? "pause" : "play", playing ? "pause" : "play");
    root.setAttribute("aria-busy", Boolean(live));
    for (const control of bar.children) control.disabled = Boolean(live);
  };
  // What is disabled loses the focus: the bar while a walk grows, and ipywidgets' buttons, which
  // Python disables while it works. Who uses the keyboard would have to begin at the page's top.
  const box = () => root.closest(".widget-vbox") ?? root;
  const refocus = () => {
    // The focus has gone to the page's body, or in JupyterLab to what the cell lies in.
    if (lost?.isConnected && document.activeElement.contains(root)) {
      (lost.disabled ? slider : lost).focus({ preventScroll: true });
    }
    lost = null;
  };
  const press = () => {
    byHand = true;
    play(model, !model.get("playing"));
    byHand = false;
  };

  setIcon(back, "back", "one step back");
  setIcon(forward, "forward", "one step on");
  back.onclick = () => go(model, model.get("index") - 1);
  forward.onclick = () => go(model, model.get("index") + 1);
  toggle.onclick = press;
  slider.oninput = () => {
    if (model.get("playing")) play(model, false);
    go(model, Number(slider.value));
  };
  speed.onchange = () => {
    model.set("fps", Number(speed.value));
    model.save_changes();
  };
  stage.onclick = () => slider.focus({ preventScroll: true }); // so that the keys work
  bar.onclick = () => {
    // Safari gives no focus to what is clicked.
    if (!bar.contains(document.activeElement)) slider.focus({ preventScroll: true });
  };

  const keys = {
    ArrowLeft: () => go(model, model.get("index") - 1),
    ArrowRight: () => go(model, model.get("index") + 1),
    Home: () => go(model, 0),
    End: () => go(model, Infinity),
    " ": press,
  };
  root.onkeydown = (event) => {
    const own = event.target === speed || (event.key === " " && event.target !== slider);
    const meant = event.altKey || event.ctrlKey || event.metaKey; // for the browser
    if (own || meant || live || !keys[event.key]) return; // a select and a button have their own
    event.preventDefault();
    keys[event.key]();
  };

  for (const name of ["index", "playing", "fps", "frames"]) model.on(`change:${name}`, draw);

  const gone = new AbortController();
  const watch = (event, answer) => {
    const mine = ({ target }) => box().contains(target) && answer(target);
    document.addEventListener(event, mine, { capture: true, signal: gone.signal });
  };
  watch("focusin", (target) => (held = target));
  // Before Python hears of the click: a film that runs on would move the slider off what comes.
  watch("click", (target) => {
    if (model.get("playing") && target.closest(".jupyter-button")) play(model, false);
  });

  // The other controls need Python. Ask whether it is there, and say so if nothing answers; also
  // if it falls silent while a walk grows: the kernel was restarted, or died. What is there can
  // still be stepped through.
  const missing = () => {
    live = null;
    draw();
    refocus();
    note.textContent = model.get("note");
    note.hidden = !note.textContent;
  };
  let silence = setTimeout(missing, 4000);
  model.on("msg:custom", (message) => {
    clearTimeout(silence);
    note.hidden = true;
    if (message.kind === "live") {
      live = message.frame ? message : null;
      if (live) silence = setTimeout(missing, PATIENCE);
      if (live && model.get("playing")) play(model, false);
      draw();
      if (held?.disabled) lost = held;
      if (!live) setTimeout(refocus, 200); // the film comes first, then the buttons are enabled
    }
  });
  draw();
  try {
    model.send({ kind: "ping" });
  } catch {
    missing(); // JupyterLab knows already that the kernel is gone
  }
  return () => {
    clearTimeout(silence);
    gone.abort();
  };
}

export default { initialize, render };
