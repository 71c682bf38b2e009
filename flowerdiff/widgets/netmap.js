// The map of a net: blocks to choose, and what comes out of each for a picture and a time. What it
// shows for the marked times lies in its state, so that much works in a saved page; for the times
// between it asks Python. Plain DOM, no library (https://anywidget.dev/en/afm/).
//
// State (see netmap.py): blocks, skips, frame, pictures, times, T, shots, block, picture, t, note.

const SVG = "http://www.w3.org/2000/svg";
const STEPS = 80; // of the slider, when Python is there
const PATIENCE = 30000; // ms for an answer, after which it counts as gone

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const element = (tag, attributes = {}, ...children) =>
  build(document.createElement(tag), attributes, children);
const shape = (tag, attributes = {}, ...children) =>
  build(document.createElementNS(SVG, tag), attributes, children);

function set(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

let count = 0; // so that two maps on a page have names of their own

function render({ model, el }) {
  const id = `fd-net-${(count += 1)}`;
  // Without it JupyterLab would take the keys: an arrow would leave the cell. It looks at what has
  // the focus, and not at what that lies in.
  const keysStay = { "data-lm-suppress-shortcuts": "true" };
  const picture = element("select", { id: `${id}-picture`, ...keysStay });
  const range = { type: "range", id: `${id}-t`, list: `${id}-times`, ...keysStay };
  const slider = element("input", range);
  const marks = element("datalist", { id: `${id}-times` });
  const now = element("output", { for: `${id}-t`, "aria-live": "off" }); // the slider says it
  const bar = element(
    "div",
    { class: "fd-net-bar" },
    element("label", { for: `${id}-picture` }, "picture"),
    picture,
    element("label", { for: `${id}-t` }, "time t"),
    slider,
    marks,
    now,
  );
  const map = shape("svg", { class: "fd-net-map", role: "radiogroup", "aria-label": "blocks" });
  const words = element("dl", { class: "fd-net-words" });
  const spoken = element("p", { class: "fd-net-spoken", "aria-live": "polite" });
  const x_t = element("img", { class: "fd-net-xt", draggable: "false" });
  const sees = element("div", { class: "fd-net-sees", "aria-hidden": "true" });
  const seen = element("div", { class: "fd-net-seen" }, x_t, sees);
  const out = element("img", { class: "fd-net-out", draggable: "false" });
  const below = element("figcaption");
  const about = element(
    "div",
    { class: "fd-net-about" },
    words,
    element("figure", {}, seen, element("figcaption", {}, "x_t; bright: what it sees")),
    element("figure", {}, out, below),
  );
  const note = element("p", { class: "fd-net-note", role: "status" });
  note.hidden = true;
  const root = element(
    "div",
    { class: "fd-net", role: "group" },
    bar,
    map,
    about,
    spoken,
    note,
  );
  el.append(root);

  let live = false; // whether Python answers
  let asked = ""; // the shot that Python is at work on
  let failed = ""; // the one it could not make
  const fresh = {}; // shots that came from it
  let nodes = {}; // name: <g>

  const fine = () => Math.max(1, Math.round(model.get("T") / STEPS));
  const key = () => `${model.get("picture")}|${model.get("t")}`;
  const shot = () => model.get("shots")[key()] ?? fresh[key()];
  const nearest = (t) =>
    model.get("times").reduce((a, b) => (Math.abs(b - t) < Math.abs(a - t) ? b : a));

  const choose = (name) => {
    set(model, { block: name });
    nodes[name].focus({ preventScroll: true });
  };

  const drawMap = () => {
    const [width, height] = model.get("frame");
    map.setAttribute("viewBox", `0 0 ${width} ${height}`);
    map.replaceChildren();
    nodes = {};
    const blocks = model.get("blocks");
    blocks.forEach((block, i) => {
      const { name, x, y, colours } = block;
      const [fill, text] = colours;
      const inside = block.sees.length === 0; // the small ones of time and class hold their names
      const label = shape(
        "text",
        {
          x: x + block.width / 2,
          y: inside ? y + block.height / 2 + 4 : y + block.height + 12,
          class: inside ? "fd-net-inside" : "fd-net-name",
        },
        name,
      );
      if (inside) label.style.fill = text;
      const box = shape("rect", { x, y, width: block.width, height: block.height, rx: 3, fill });
      const area = shape("rect", {
        x: x - 4,
        y: y - 3,
        width: block.width + 8,
        height: block.height + (inside ? 6 : 20),
        class: "fd-net-area",
      });
      const spoken = `${name}: ${block.what}; output ${block.shape}`;
      const node = shape("g", { role: "radio", "aria-label": spoken, ...keysStay }, area, box, label);
      node.dataset.name = name;
      node.onclick = () => choose(name);
      node.onkeydown = (event) => {
        if (event.altKey || event.ctrlKey || event.metaKey) return; // for the browser
        const last = blocks.length - 1;
        const to = {
          ArrowRight: i === last ? 0 : i + 1,
          ArrowDown: i === last ? 0 : i + 1,
          ArrowLeft: i === 0 ? last : i - 1,
          ArrowUp: i === 0 ? last : i - 1,
          Home: 0,
          End: last,
          Enter: i,
          " ": i,
        }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        choose(blocks[to].name);
      };
      nodes[name] = map.appendChild(node);
    });
    // Over the blocks: one that lies between and is as tall would hide where a line goes on.
    for (const [x1, y1, x2, y2] of model.get("skips")) {
      map.append(shape("line", { x1, y1, x2, y2, class: "fd-net-skip" }));
      for (const [cx, cy] of [[x1, y1], [x2, y2]]) {
        map.append(shape("circle", { cx, cy, r: 3, class: "fd-net-skip" }));
      }
    }
  };

  const fill = () => {
    root.setAttribute("aria-label", model.get("label"));
    picture.replaceChildren(
      ...model.get("pictures").map((name) => element("option", { value: name }, name)),
    );
    marks.replaceChildren(...model.get("times").map((t) => element("option", { value: t })));
    slider.min = slider.step = fine();
    slider.max = model.get("T");
  };

  const draw = () => {
    const block = model.get("blocks").find((b) => b.name === model.get("block"));
    const t = model.get("t");
    for (const [name, node] of Object.entries(nodes)) {
      const chosen = name === block.name;
      node.setAttribute("aria-checked", chosen);
      node.setAttribute("tabindex", chosen ? 0 : -1);
    }
    const rows = {
      [block.name]: block.what,
      output: block.shape,
      parameters: block.parameters,
      work: block.flops,
      "middle pixel sees": block.field,
    };
    words.replaceChildren(
      ...Object.entries(rows).flatMap(([term, text]) => [
        element("dt", {}, term),
        element("dd", {}, text),
      ]),
    );
    picture.value = model.get("picture");
    slider.value = t;
    now.textContent = `t = ${t}`;
    slider.setAttribute("aria-valuetext", `t = ${t}`);

    const [top, left, bottom, right] = block.sees;
    sees.hidden = !block.sees.length;
    Object.assign(sees.style, {
      top: `${100 * top}%`,
      left: `${100 * left}%`,
      height: `${100 * (bottom - top)}%`,
      width: `${100 * (right - left)}%`,
    });

    const shown = shot();
    root.setAttribute("aria-busy", !shown && failed !== key());
    if (!shown) {
      below.textContent = failed === key() ? "no picture: see above" : "Python is at work …";
      ask();
      return;
    }
    const activation = shown.blocks[block.name];
    x_t.src = shown.x_t;
    x_t.alt = `${model.get("picture")} with the noise of t = ${t}; ${block.name} sees ${block.field}`;
    out.src = activation.image;
    out.alt = `what comes out of ${block.name} at t = ${t}: ${activation.words}`;
    below.textContent = activation.words;
    const focused = map.contains(document.activeElement) || document.activeElement === slider;
    // A radio's own label and a slider's own value are read out; this is what they do not say.
    spoken.textContent = focused
      ? `${block.parameters} parameters, ${block.flops}, sees ${block.field}; ${activation.words}`
      : "";
  };

  let silence; // the timer that runs while an answer is due
  // One question at a time: while Python works, a slider passes many times.
  const ask = () => {
    if (!live || asked || failed === key()) return;
    asked = key();
    silence = setTimeout(missing, PATIENCE);
    try {
      model.send({ kind: "look", picture: model.get("picture"), t: model.get("t") });
    } catch {
      missing(); // JupyterLab knows already that the kernel is gone
    }
  };

  picture.onchange = () => {
    const changes = { picture: picture.value };
    if (!live) changes.t = nearest(model.get("t"));
    set(model, changes);
  };
  slider.oninput = () => {
    const wanted = Number(slider.value);
    const times = [...model.get("times")].sort((a, b) => a - b);
    const t = model.get("t");
    let to = wanted;
    if (!live) {
      to = nearest(wanted);
      // An arrow key moves a little, and still must reach the next time that is there.
      if (to === t && Math.abs(wanted - t) <= fine()) {
        const i = times.indexOf(t) + Math.sign(wanted - t);
        to = times[Math.max(0, Math.min(times.length - 1, i))];
      }
    }
    set(model, { t: to });
    slider.value = to;
  };

  const changed = () => {
    failed = "";
    draw();
  };
  for (const name of ["block", "picture", "t"]) model.on(`change:${name}`, changed);

  // Nothing answers: there is no kernel, or it was restarted, or died. The times that came along are
  // still there.
  const missing = () => {
    live = false;
    asked = "";
    note.textContent = model.get("note");
    note.hidden = false;
    if (!shot()) set(model, { t: nearest(model.get("t")) });
    draw();
  };
  silence = setTimeout(missing, 4000);
  const hear = (message) => {
    clearTimeout(silence);
    live = true;
    note.hidden = true;
    if (message.kind === "shot") {
      fresh[message.key] = message.shot;
      if (message.key === asked) asked = "";
    } else if (message.kind === "settled" && message.key === asked) {
      failed = asked; // settled, and no shot came
      asked = "";
    }
    if (asked) silence = setTimeout(missing, PATIENCE); // this was of something else
    draw();
  };
  model.on("msg:custom", hear);

  drawMap();
  fill();
  draw();
  try {
    model.send({ kind: "ping" });
  } catch {
    missing();
  }
  return () => {
    clearTimeout(silence);
    for (const name of ["block", "picture", "t"]) model.off(`change:${name}`, changed);
    model.off("msg:custom", hear);
  };
}

export default { initialize() {}, render };
