// What the interactive figures share: controls, pictures, axes and models.

/** Return an element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A labelled slider; `change` gets its number, `show` words it. Returns {node, value, set}. */
export function slider(label, { min, max, step, value, show = String }, change) {
  const input = make("input", { type: "range", min, max, step, value });
  const output = make("output");
  const tell = () => {
    output.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    tell();
    change(Number(input.value));
  });
  tell();
  return {
    node: make("label", { class: "ddl-control" }, make("span", {}, label), input, output),
    get value() {
      return Number(input.value);
    },
    set(number) {
      input.value = number;
      tell();
    },
  };
}

/** A labelled choice between texts; `change` gets the chosen one. */
export function choice(label, options, change) {
  const select = make("select", {}, ...options.map((text) => make("option", {}, text)));
  select.addEventListener("change", () => change(select.value));
  return {
    node: make("label", { class: "ddl-control" }, make("span", {}, label), select),
    get value() {
      return select.value;
    },
  };
}

/** A button. */
export function button(text, press) {
  const node = make("button", { type: "button" }, text);
  node.addEventListener("click", press);
  return node;
}

/** A row of controls. */
export function controls(...nodes) {
  return make("div", { class: "ddl-controls" }, ...nodes);
}

/** A line of text that screen readers follow. */
export function readout() {
  return make("p", { class: "ddl-readout", "aria-live": "polite" });
}

/** A canvas of `width` x `height` CSS pixels at most, crisp on any screen, with a description. */
export function canvas(width, height, description) {
  const ratio = Math.max(1, Math.min(3, devicePixelRatio));
  const node = make("canvas", {
    width: Math.round(width * ratio),
    height: Math.round(height * ratio),
    role: "img",
    "aria-label": description,
    style: `width:${width}px;aspect-ratio:${width}/${height}`,
  });
  const context = node.getContext("2d");
  context.scale(ratio, ratio);
  return { node, context, width, height };
}

// The book's colours (Okabe and Ito); on dark paper their lighter relatives.
const LIGHT = ["#0072B2", "#D55E00", "#007a59", "#a8558a", "#9a6a00", "#2a7fb8"];
const DARK = ["#56B4E9", "#ff9d52", "#3fd0a4", "#e0a3c8", "#E69F00", "#F0E442"];

/** The current theme's colours for lines and marks, and its ink, paper and grid. */
export function theme() {
  const style = getComputedStyle(document.body);
  const choice = document.body.dataset.theme ?? "auto";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return {
    colors: (choice === "auto" ? system : choice) === "dark" ? DARK : LIGHT,
    ink: style.getPropertyValue("--color-foreground-primary").trim() || "#000",
    faint: style.getPropertyValue("--color-foreground-border").trim() || "#888",
    paper: style.getPropertyValue("--color-background-primary").trim() || "#fff",
  };
}

/** Call `draw` when the reader changes the theme. */
export function onTheme(draw) {
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** Axes over a canvas: returns {x, y}, which map numbers to pixels, and draws frame and labels. */
export function axes(surface, { x: [x0, x1], y: [y0, y1], xlabel = "", ylabel = "" }) {
  const { context, width, height } = surface;
  const { ink, faint, paper } = theme();
  const [left, right, top, bottom] = [44, 10, 10, 36];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  context.fillStyle = paper;
  context.fillRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = ink;
  context.strokeStyle = faint;
  context.lineWidth = 1;
  context.strokeRect(x(x0), y(y1), x(x1) - x(x0), y(y0) - y(y1));
  context.textAlign = "center";
  for (const value of ticks(x0, x1)) context.fillText(word(value), x(value), height - bottom + 15);
  context.fillText(xlabel, (x(x0) + x(x1)) / 2, height - 5);
  context.textAlign = "right";
  for (const value of ticks(y0, y1)) context.fillText(word(value), left - 5, y(value) + 4);
  context.save();
  context.translate(11, (y(y0) + y(y1)) / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(ylabel, 0, 0);
  context.restore();
  return { x, y };
}

/** Round positions between two numbers, about five. */
export function ticks(start, end) {
  const [low, high] = [Math.min(start, end), Math.max(start, end)];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step);
  return found;
}

/** A number in few digits. */
export function word(value) {
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}

/** Draw a curve through [[x, y], ...] on axes. */
export function curve(surface, scale, points, color, { dash = [], thick = 2 } = {}) {
  const { context } = surface;
  context.save();
  context.beginPath();
  points.forEach(([a, b], k) => context[k ? "lineTo" : "moveTo"](scale.x(a), scale.y(b)));
  context.strokeStyle = color;
  context.lineWidth = thick;
  context.setLineDash(dash);
  context.stroke();
  context.restore();
}

/** Draw grey values in [0, 1], rows of `columns`, as a picture over a rectangle of a canvas. */
export function picture(surface, values, columns, { x = 0, y = 0, width, height } = {}) {
  const rows = values.length / columns;
  const image = new ImageData(columns, rows);
  values.forEach((value, k) => {
    const grey = Math.round(255 * Math.min(1, Math.max(0, value)));
    image.data.set([grey, grey, grey, 255], 4 * k);
  });
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  surface.context.imageSmoothingEnabled = false;
  surface.context.drawImage(small, x, y, width ?? surface.width, height ?? surface.height);
}

/** A generator of uniform numbers in [0, 1); the same seed gives the same numbers. */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0; // mulberry32
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A generator of standard normal numbers; the same seed gives the same numbers. */
export function gaussian(seed) {
  const draw = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}

/** Whether the reader asked for less motion: then show the end at once. */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

let runtime;

/**
 * Load a model that the page trained. Returns an async function from inputs, each
 * {shape, values}, to the output's values, a Float32Array.
 */
export async function load(url) {
  const place = new URL("../onnxruntime/", import.meta.url);
  runtime ??= await import(new URL("ort.wasm.min.mjs", place));
  runtime.env.wasm.wasmPaths = place.href;
  runtime.env.wasm.numThreads = 1;
  const session = await runtime.InferenceSession.create(url.href);
  let turn = Promise.resolve(); // a session runs one call at a time
  return (...inputs) => {
    const feeds = {};
    inputs.forEach(({ shape, values, type = "float32" }, k) => {
      const numbers = type === "int64" ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
      feeds[`input${k}`] = new runtime.Tensor(type, numbers, shape);
    });
    turn = turn.then(() => session.run(feeds));
    return turn.then(({ output }) => output.data);
  };
}

// Five stops of viridis (van der Walt and Smith), lightest last.
const VIRIDIS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

/** A colour of viridis for a share in [0, 1]. */
export function viridis(share) {
  const place = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
  const k = Math.min(VIRIDIS.length - 2, Math.floor(place));
  return VIRIDIS[k].map((low, c) => Math.round(low + (VIRIDIS[k + 1][c] - low) * (place - k)));
}

/** Colour a rectangle of axes by a function of x and y; `range` is dark to light. */
export function heat(surface, scale, { x: [x0, x1], y: [y0, y1] }, value, range, cells = 64) {
  const { context } = surface;
  const image = new ImageData(cells, cells);
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++) {
      const a = x0 + ((column + 0.5) / cells) * (x1 - x0);
      const b = y1 - ((row + 0.5) / cells) * (y1 - y0);
      const share = (value(a, b) - range[0]) / (range[1] - range[0]);
      image.data.set([...viridis(share), 255], 4 * (row * cells + column));
    }
  }
  const small = new OffscreenCanvas(cells, cells);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, scale.x(x0), scale.y(y1), scale.x(x1) - scale.x(x0), scale.y(y0) - scale.y(y1));
}

/**
 * Let a reader move a point over axes, by pointer or arrow keys. `moved` gets its place,
 * clipped to the axes. Returns the focusable canvas's position object {x, y}.
 */
export function movable(surface, scale, { x: [x0, x1], y: [y0, y1], step }, start, moved) {
  const { node } = surface;
  const point = { ...start };
  node.tabIndex = 0;
  const go = (x, y) => {
    point.x = Math.min(x1, Math.max(x0, x));
    point.y = Math.min(y1, Math.max(y0, y));
    moved(point);
  };
  const follow = (event) => {
    const box = node.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * surface.width;
    const py = ((event.clientY - box.top) / box.height) * surface.height;
    const { x, y } = scale();
    go(
      x0 + ((px - x(x0)) / (x(x1) - x(x0))) * (x1 - x0),
      y0 + ((py - y(y0)) / (y(y1) - y(y0))) * (y1 - y0),
    );
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (event.buttons) follow(event);
  });
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  node.addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    const [dx, dy] = keys[event.key];
    go(point.x + dx * step, point.y + dy * step);
  });
  return point;
}

/** A picture with its name below; `name` may be changed by setting `label.textContent`. */
export function titled(surface, name) {
  const label = make("figcaption", {}, name);
  return { node: make("figure", { class: "ddl-titled" }, surface.node, label), label };
}
