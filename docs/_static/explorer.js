// The explorer: recorded walks, chosen by flower, seed, w and sampler, in the lessons' player.
//
// index.js says what there is, and each walk is a script of its own, loaded when it is chosen
// (tools/record_explorer.py). The page's address keeps what is shown, so that it can be passed on.

(async () => {
  const { flowers, seeds, weights, samplers, start, frames, sums, titles, epsScale, noiseScale } =
    flowerdiffIndex;
  const root = document.getElementById("walks");
  const options = { flower: Object.keys(flowers), seed: seeds, w: weights, sampler: samplers };
  const say = { w: { "-1": "−1: label ignored", 0: "0: as learned" } };
  const base = `${document.documentElement.dataset.content_root}_static/walks/`;

  // --- what is chosen: in `chosen`, in the controls and in the address ---

  const chosen = { flower: options.flower[0], ...start, step: frames.length - 1 };

  function read() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const [name, values] of Object.entries(options)) {
      chosen[name] = values.find((v) => String(v) === wanted.get(name)) ?? chosen[name];
    }
    const step = Number(wanted.get("step"));
    if (wanted.has("step") && step >= 0 && step < frames.length) chosen.step = Math.floor(step);
  }

  let soon; // browsers refuse to change the address a hundred times within seconds: see Safari
  function write() {
    clearTimeout(soon);
    soon = setTimeout(() => history.replaceState(null, "", `#${new URLSearchParams(chosen)}`), 300);
  }

  function radios(name, values) {
    const set = document.createElement("fieldset");
    set.innerHTML = `<legend>${name}</legend>`;
    for (const value of values) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
      const text = document.createElement("span");
      if (name === "flower") text.append(Object.assign(new Image(), { src: flowers[value], alt: "" }));
      text.append(say[name]?.[value] ?? value);
      input.onchange = () => {
        chosen[name] = value;
        load();
        write();
      };
      label.append(input, text);
      set.append(label);
    }
    return set;
  }

  function mark() {
    for (const input of root.querySelectorAll("input[type=radio]")) {
      input.checked = input.value === String(chosen[input.name]);
    }
  }

  // --- the walks ---

  const scripts = new Map(); // key: promise of what the script brings
  const arrivals = new Map(); // key: who waits for it
  window.flowerdiffWalk = ([key, content]) => arrivals.get(key)(content);

  function brought(key) {
    if (!scripts.has(key)) scripts.set(key, new Promise((resolve, reject) => {
      arrivals.set(key, resolve);
      const src = `${base}${key}.js`;
      const onerror = () => {
        scripts.delete(key); // the next time it may be there
        reject(new Error(`no recording ${src}`));
      };
      document.head.append(Object.assign(document.createElement("script"), { src, onerror }));
    }));
    return scripts.get(key);
  }

  /** The pixels of a picture as they are stored: four bytes each. */
  async function pixels(src) {
    const image = Object.assign(new Image(), { src });
    await image.decode();
    const { width, height } = image;
    const context = canvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height);
  }

  const canvas = (width, height) =>
    Object.assign(document.createElement("canvas"), { width, height });

  /** As numbers between -1 and 1, red, green and blue of a pixel after one another. */
  async function numbers(src) {
    const { data } = await pixels(src);
    return Float32Array.from({ length: (data.length / 4) * 3 }, (_, i) => {
      return data[4 * Math.floor(i / 3) + (i % 3)] / 127.5 - 1;
    });
  }

  /** The noise of a step: the three colours lie side by side in a grey picture. */
  async function noise({ scale, picture }) {
    const { data, height: size } = await pixels(picture);
    return Float32Array.from({ length: 3 * size * size }, (_, i) => {
      const [colour, column, row] = [i % 3, Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
      const grey = data[4 * (row * 3 * size + colour * size + column)];
      return scale * noiseScale * (grey / 127.5 - 1);
    });
  }

  function picture(values, scale) {
    const size = Math.sqrt(values.length / 3);
    const image = new ImageData(size, size);
    image.data.fill(255); // opacity, too
    values.forEach((value, i) => {
      // Clamped to 0..255 and rounded by its type.
      image.data[4 * Math.floor(i / 3) + (i % 3)] = (value / scale + 1) * 127.5;
    });
    const sheet = canvas(size, size);
    sheet.getContext("2d").putImageData(image, 0, 0);
    return sheet.toDataURL();
  }

  /** The frames of a walk: x_t and eps_hat follow from what the model saw, and from the noise. */
  async function walk(key, name) {
    const weights = sums[chosen.sampler];
    const noiseKey = `noise.${chosen.seed}.${chosen.sampler}`;
    const [seen, noises] = await Promise.all([brought(key), brought(noiseKey)]);
    const x0s = await Promise.all(seen.map(numbers));
    const drawn = await Promise.all(noises.map(noise));
    return frames.map(({ caption, alt, shares: [a, b] }, i) => {
      const x_t = drawn[i].slice();
      for (let j = 0; j < i; j += 1) {
        const weight = weights[i][j];
        if (weight) x0s[j].forEach((value, k) => (x_t[k] += weight * value));
      }
      const eps = b ? x_t.map((value, k) => (value - a * x0s[i][k]) / b) : x_t.map(() => 0);
      const images = [picture(x_t, 1), seen[i], picture(eps, epsScale)];
      return { images: [images], caption, alts: [`${name}, ${alt}`] };
    });
  }

  let asked = 0;
  async function load() {
    const { flower, seed, w, sampler } = chosen;
    const any = w === -1;
    const key = `${any ? "any" : flower.replaceAll(" ", "-")}.${seed}.${w}.${sampler}`;
    const name = `${any ? "any flower" : flower} · w = ${w} · seed ${seed} · ${sampler}`;
    const mine = (asked += 1);
    status.textContent = "";
    try {
      const film = await walk(key, name);
      if (mine !== asked) return; // another choice has been made meanwhile
      player.set("rows", [name]);
      player.set("frames", film);
    } catch (error) {
      if (mine !== asked) return;
      status.textContent = `This walk cannot be shown: ${error.message}`;
    }
  }

  const stage = document.createElement("div");
  const status = Object.assign(document.createElement("p"), { role: "status" });
  const choices = Object.assign(document.createElement("div"), { className: "fd-choices" });
  choices.append(...Object.entries(options).map(([name, values]) => radios(name, values)));
  root.replaceChildren(stage, status, choices);

  read();
  mark();
  const blank = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
  const empty = frames.map(({ caption, alt }) => ({
    images: [[blank, blank, blank]],
    caption,
    alts: [alt],
  }));
  const state = { label: "Explorer", titles, rows: [""], frames: empty, index: chosen.step };
  const player = await flowerdiff.show(
    { ...flowerdiffPlayer, ...state, playing: false, fps: 3, width: 256 },
    stage,
  );
  player.on("change:index", () => {
    chosen.step = player.get("index");
    write();
  });
  window.addEventListener("hashchange", () => {
    read();
    mark();
    player.set("index", chosen.step);
    load();
  });
  await load();
})();
