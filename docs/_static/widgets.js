// The widgets of the lessons, on a page without Python.
//
// A lesson's widgets are anywidgets (https://anywidget.dev/en/afm/) that carry their frames in their
// state, and around some of them menus and buttons of ipywidgets, which need Python. Here the first
// live, and the others become a line that says what they were set to. A page opened from a disk may
// import no module from a file, so a widget's code, which its state carries, is imported as a blob.

const flowerdiff = (() => {
  const VIEWS = "[data-model]";
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const BOXES = ["VBoxModel", "HBoxModel", "BoxModel", "GridBoxModel"];
  const INPUTS = ["flowerdiff.widgets.doodle.Canvas"]; // to draw on, for Python to see
  const RANGE = "flowerdiff.widgets.range.Range"; // a slider of our own that Python listens to
  const modules = new Map(); // code: promise of the module
  const styles = new Set();

  /** What a notebook's front end gives a widget, with nobody at the other end. */
  class Model {
    constructor(state) {
      this.state = { ...state, note: "" }; // its note tells how to start Python: not here
      this.listeners = [];
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      this.tell(`change:${name}`, value);
      this.tell("change");
    }
    on(events, call) {
      for (const event of events.split(" ")) this.listeners.push({ event, call });
    }
    off(event, call) {
      this.listeners = this.listeners.filter(
        (l) => (event && l.event !== event) || (call && l.call !== call),
      );
    }
    tell(event, ...values) {
      const heard = this.listeners.filter((l) => l.event === event);
      for (const { call } of heard) call(this, ...values);
    }
    save_changes() {}
    send() {}
  }

  function load(code) {
    if (!modules.has(code)) {
      const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      modules.set(code, import(url));
    }
    return modules.get(code);
  }

  /** Show an anywidget with this state in `el`; a promise of its model. */
  async function show(state, el) {
    if (state._css && !styles.has(state._css)) {
      styles.add(state._css);
      document.head.append(
        Object.assign(document.createElement("style"), { textContent: state._css }),
      );
    }
    let { default: widget } = await load(state._esm);
    if (typeof widget === "function") widget = await widget();
    const model = new Model(state);
    await widget.initialize?.({ model });
    await widget.render?.({ model, el });
    return model;
  }

  /** All that a view consists of, in order: anywidgets, and controls as [name, value]. */
  function* parts(models, id) {
    const { model_name: kind, state } = models[id];
    if (models[state.layout?.slice(10)]?.state.display === "none") return;
    if (INPUTS.includes(state._anywidget_id)) return;
    if (state._anywidget_id === RANGE) yield [state.label, state.value];
    else if (state._esm) yield state;
    else if (BOXES.includes(kind)) {
      for (const child of state.children) yield* parts(models, child.slice("IPY_MODEL_".length));
    } else if (state.description && kind !== "ButtonModel") {
      const name = state.description.replace(/ =$/, "");
      yield [name, state._options_labels?.[state.index] ?? state.value];
    }
  }

  /** What stands in the place of the controls that need Python. */
  function recorded(settings) {
    const note = Object.assign(document.createElement("p"), { className: "fd-recorded" });
    const choices = settings.map(([name, value]) => `${name}: ${value}`).join(" · ");
    note.innerHTML = "<strong>Recorded</strong><span></span>. To choose for yourself, run the lesson";
    note.querySelector("span").textContent = choices && ` with ${choices}`;
    if (settings.some(([name]) => name === "flower")) {
      const root = document.documentElement.dataset.content_root;
      note.innerHTML += `, or open the <a href="${root}explorer.html">explorer</a>`;
    }
    note.append(".");
    return note;
  }

  async function revive(models, view) {
    const all = [...parts(models, view.dataset.model)];
    const widgets = all.filter((part) => !Array.isArray(part));
    const settings = all.filter(Array.isArray);
    if (!widgets.length) return; // the still picture stays
    const live = document.createElement("div");
    if (settings.length || widgets.some((state) => state.note)) live.append(recorded(settings));
    for (const state of widgets) {
      const el = live.appendChild(document.createElement("div"));
      await show(state, el);
    }
    view.replaceChildren(live);
  }

  const saved = document.querySelector(STATE);
  if (saved) {
    const { state: models } = JSON.parse(saved.textContent);
    for (const view of document.querySelectorAll(VIEWS)) {
      revive(models, view).catch((error) => console.error(error)); // the still picture stays
    }
  }
  return { show };
})();
