// A canvas to draw a doodle on, with a mouse, a finger or the keyboard. Plain DOM, no library.
//
// State (see doodle.py): image (a PNG as a data URL), size, palette ([name, colour] pairs).
// A brush is a disc of whole pixels without soft edges, so that Python can say what was painted.

const BRUSHES = [1, 3, 5, 9, 15, 25]; // diameters in pixels
const SCREEN = 256; // CSS pixels of the canvas
const KEYS = "Arrow keys move the brush, Shift and arrow paint a line, Space paints a dot.";

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

let palettes = 0; // radio buttons of two canvases on one page must not be one group

function render({ model, el }) {
  const size = model.get("size");
  const palette = model.get("palette");
  const canvas = element("canvas", {
    width: size,
    height: size,
    tabindex: 0,
    role: "application",
    "aria-label": `drawing, ${size} by ${size} pixels. ${KEYS}`,
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const ring = element("div", { class: "fd-brush" });
  const paper = element("div", { class: "fd-paper" }, canvas, ring);
  const brush = element("select", { "aria-label": "brush size", title: "brush size" });
  for (const d of BRUSHES) brush.append(element("option", { value: d }, `${d} px`));
  brush.value = 9;
  const button = (text, title) => element("button", { type: "button", title }, text);
  const fill = button("Fill", "fill the canvas with the colour");
  const undo = button("Undo", "take the last stroke back");
  const tools = element("div", { class: "fd-tools" }, brush, fill, undo);
  const group = `fd-palette-${palettes++}`;
  const colours = element("div", { class: "fd-palette", role: "radiogroup", "aria-label": "colour" });
  for (const [name, colour] of palette) {
    const radio = element("input", { type: "radio", name: group, value: colour, "aria-label": name });
    radio.style.setProperty("--fd-colour", colour);
    colours.append(element("label", { title: name }, radio));
  }
  const status = element("p", { class: "fd-status", role: "status" });
  const root = element(
    "div",
    { class: "fd-doodle", role: "group", "aria-label": "Doodle" },
    paper,
    colours,
    tools,
    status,
  );
  // Without it JupyterLab would take the keys: an arrow would leave the cell.
  for (const control of root.querySelectorAll("canvas, select, button, input")) {
    control.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  el.append(root);
  colours.querySelector("input").checked = true;

  const chosen = () => colours.querySelector("input:checked");
  const past = []; // pictures to go back to
  let at = { x: size >> 1, y: size >> 1 }; // the keyboard's brush, in pixels
  let from = null; // where a stroke of the pointer has come to ...
  let finger = null; // ... and of which one: a second one, or the palm, paints nothing
  let shown = ""; // what is on the canvas, as a data URL

  const keep = () => {
    past.push(shown);
    if (past.length > 100) past.shift();
    undo.disabled = false;
  };

  const dot = (cx, cy) => {
    // The pixels whose middles lie in the disc. An odd brush has its middle in a pixel's middle.
    const r = brush.value / 2;
    context.fillStyle = chosen().value;
    for (let y = Math.ceil(cy - r); y <= cy + r; y++) {
      const half = Math.sqrt(Math.max(r * r - (y - cy) ** 2, 0));
      const left = Math.ceil(cx - half);
      context.fillRect(left, y, Math.floor(cx + half) - left + 1, 1);
    }
  };

  const stroke = (a, b) => {
    const steps = Math.max(Math.abs(b.x - a.x), Math.abs(b.y - a.y), 1);
    for (let i = 0; i <= steps; i++) {
      dot(Math.round(a.x + ((b.x - a.x) * i) / steps), Math.round(a.y + ((b.y - a.y) * i) / steps));
    }
  };

  const send = () => {
    shown = canvas.toDataURL("image/png");
    model.set("image", shown);
    model.save_changes();
  };

  const say = (text) => (status.textContent = text);

  const showRing = () => {
    const pixel = SCREEN / size;
    const d = Math.max(brush.value * pixel, 8);
    Object.assign(ring.style, {
      width: `${d}px`,
      height: `${d}px`,
      left: `${(at.x + 0.5) * pixel - d / 2}px`,
      top: `${(at.y + 0.5) * pixel - d / 2}px`,
    });
  };

  const put = async (url) => {
    shown = url;
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    if (url === shown) context.drawImage(picture, 0, 0); // and not if another came meanwhile
  };

  const draw = () => {
    if (model.get("image") === shown) return; // it came from here
    if (shown) keep();
    put(model.get("image"));
  };

  const pixel = (event) => {
    const box = canvas.getBoundingClientRect();
    const to = (place, length) => Math.floor((place / length) * size);
    return { x: to(event.clientX - box.left, box.width), y: to(event.clientY - box.top, box.height) };
  };

  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || from) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    keep();
    finger = event.pointerId;
    at = from = pixel(event);
    stroke(from, from);
    showRing();
  };
  canvas.onpointermove = (event) => {
    if (!from || event.pointerId !== finger) return;
    const to = pixel(event);
    stroke(from, to);
    at = from = to;
    showRing();
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (!from || event.pointerId !== finger) return;
    from = null;
    send();
    say(`painted ${chosen().getAttribute("aria-label")}`);
  };

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const inside = (i) => Math.max(0, Math.min(size - 1, i));
  canvas.onkeydown = (event) => {
    const colour = chosen().getAttribute("aria-label");
    if (event.key === " ") {
      keep();
      dot(at.x, at.y);
      send();
      say(`painted ${colour} at column ${at.x}, row ${at.y}`);
    } else if (arrows[event.key] && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const [dx, dy] = arrows[event.key];
      const before = at;
      const far = Math.max(1, Math.floor(brush.value / 3)); // a large brush makes large steps
      at = { x: inside(at.x + dx * far), y: inside(at.y + dy * far) };
      if (event.shiftKey) {
        keep();
        stroke(before, at);
        send();
      }
      say(`${event.shiftKey ? `painted ${colour}, ` : ""}column ${at.x}, row ${at.y}`);
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      undo.click();
    } else {
      return;
    }
    event.preventDefault();
    showRing();
  };

  fill.onclick = () => {
    keep();
    context.fillStyle = chosen().value;
    context.fillRect(0, 0, size, size);
    send();
    say(`filled with ${chosen().getAttribute("aria-label")}`);
  };
  undo.onclick = () => {
    if (!past.length) return;
    put(past.pop());
    model.set("image", shown);
    model.save_changes();
    undo.disabled = !past.length;
    if (undo.disabled) canvas.focus({ preventScroll: true }); // or the focus would be lost
    say("took the last stroke back");
  };
  undo.disabled = true;
  brush.onchange = showRing;
  colours.onchange = () => say(`colour ${chosen().getAttribute("aria-label")}`);

  model.on("change:image", draw);
  say(KEYS);
  showRing();
  draw();
}

export default { render };
