// What the interactive figures share: controls, pictures, axes and models.
import { COLORS, DASHES, MAPS } from "./palette.js"; // written by the build, from ddl/plotting.py

/** Return an element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A labelled slider; `change` gets its number, `show` words it. Its value, min and max are read. */
export function slider(label, { min, max, step, value, show = String }, change) {
  const input = make("input", { type: "range", min, max, step, value });
  const shown = make("span", { class: "ddl-value", "aria-hidden": "true" }); // the slider says it
  const tell = () => {
    shown.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    tell();
    change(Number(input.value));
  });
  tell();
  return {
    node: make("label", { class: "ddl-control" }, make("span", {}, label), input, shown),
    get value() {
      return Number(input.value);
    },
    set(number) {
      input.value = number;
      tell();
    },
    min,
    get max() {
      return Number(input.max);
    },
    set max(number) {
      input.max = number;
    },
  };
}

/** A labelled choice between texts, of which `chosen` is the first; `change` gets the new one. */
export function choice(label, options, change, chosen = options[0]) {
  const select = make("select", {}, ...options.map((text) => make("option", {}, text)));
  select.value = chosen;
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

/**
 * A button that moves something with {value, min, max, set}, as a slider, to its end in some
 * seconds; from its start if it is at its end. Pressed again it stops. Asked for less motion it
 * goes to the end at once.
 */
export function player(place, seconds, moved, label = "Play") {
  let turn = 0; // each start and each stop ends what moves
  const stop = () => {
    turn += 1;
    node.textContent = label;
  };
  const play = () => {
    const mine = ++turn;
    const begin = performance.now();
    const from = place.value < place.max ? place.value : place.min;
    node.textContent = "Stop";
    const frame = (now) => {
      if (mine !== turn) return;
      const share = still() ? 1 : Math.min(1, Math.max(0, (now - begin) / (1000 * seconds)));
      place.set(from + share * (place.max - from));
      moved();
      if (share < 1) requestAnimationFrame(frame);
      else stop();
    };
    requestAnimationFrame(frame);
  };
  const node = button(label, () => (node.textContent === label ? play() : stop()));
  return { node, play, stop };
}

/** A row of controls. */
export function controls(...nodes) {
  return make("div", { class: "ddl-controls" }, ...nodes);
}

/**
 * A line of text: `tell` changes it. What moves changes it at every frame; a screen reader is
 * told once it has not changed for a second.
 */
export function readout() {
  const seen = make("p", { class: "ddl-readout", "aria-hidden": "true" });
  const spoken = make("p", { class: "ddl-spoken", "aria-live": "polite" });
  let waiting;
  return {
    node: make("div", {}, seen, spoken),
    tell(text) {
      if (text === seen.textContent) return;
      seen.textContent = text;
      clearTimeout(waiting);
      waiting = setTimeout(() => (spoken.textContent = text), 1000);
    },
  };
}

/** A line that says how a figure is operated. */
export function help(text) {
  return make("p", { class: "ddl-help" }, text);
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

/** A colour on dark paper: two fifths of the way to white. */
function lighter(color) {
  const parts = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  const mixed = parts.map((part) => Math.round(part + 0.4 * (255 - part)));
  return "#" + mixed.map((part) => part.toString(16).padStart(2, "0")).join("");
}

/** The still figures' colours, on dark paper lighter ones; and the page's ink, paper and grid. */
export function theme() {
  const style = getComputedStyle(document.body);
  const choice = document.body.dataset.theme ?? "auto";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const dark = (choice === "auto" ? system : choice) === "dark";
  return {
    colors: dark ? COLORS.map(lighter) : COLORS,
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

/** Draw a curve through [[x, y], ...] on axes; `style` is the number of its dashes. */
export function curve(surface, scale, points, color, { style = 0, thick = 2 } = {}) {
  const { context } = surface;
  context.save();
  context.beginPath();
  points.forEach(([a, b], k) => context[k ? "lineTo" : "moveTo"](scale.x(a), scale.y(b)));
  context.strokeStyle = color;
  context.lineWidth = thick;
  context.setLineDash(DASHES[style].map((part) => part * thick));
  context.stroke();
  context.restore();
}

/** Name the lines of axes at their top left: [[text, color, style], ...]. */
export function legend({ context }, lines, { left = 54, top = 24 } = {}) {
  const { ink } = theme();
  context.save();
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "left";
  lines.forEach(([text, color, style], k) => {
    const y = top + 17 * k;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(left + 28, y);
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.setLineDash(DASHES[style].map((part) => 2 * part));
    context.stroke();
    context.fillStyle = ink;
    context.fillText(text, left + 34, y + 4);
  });
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

/** The colour of a share in [0, 1] on a map of the still figures: viridis, gray, RdBu_r. */
export function shade(map, share) {
  const stops = MAPS[map];
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(place));
  return stops[k].map((low, c) => Math.round(low + (stops[k + 1][c] - low) * (place - k)));
}

/** Colour a rectangle of axes by a function of x and y; `range` is from a map's start to its end. */
export function heat(surface, scale, { x: [x0, x1], y: [y0, y1] }, value, range, map, cells = 64) {
  const { context } = surface;
  const image = new ImageData(cells, cells);
  for (let row = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++) {
      const a = x0 + ((column + 0.5) / cells) * (x1 - x0);
      const b = y1 - ((row + 0.5) / cells) * (y1 - y0);
      const share = (value(a, b) - range[0]) / (range[1] - range[0]);
      image.data.set([...shade(map, share), 255], 4 * (row * cells + column));
    }
  }
  const small = new OffscreenCanvas(cells, cells);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, scale.x(x0), scale.y(y1), scale.x(x1) - scale.x(x0), scale.y(y0) - scale.y(y1));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Let a reader drag over a canvas, or press arrow keys on it. `dragged` gets shares of its width
 * and height, and whether the drag begins there; `pressed` gets steps to the right and down.
 * A finger that is put on this canvas drags and does not scroll the page.
 */
export function draggable({ node }, dragged, pressed) {
  node.tabIndex = 0;
  node.setAttribute("role", "application"); // arrow keys are ours, in a screen reader too
  node.classList.add("ddl-drag");
  const follow = (event) => {
    const box = node.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    dragged(x / box.width, y / box.height, event.type === "pointerdown");
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (event.buttons) follow(event);
  });
  node.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    pressed(...ARROWS[event.key]);
  });
}

/**
 * Let a reader move a point over axes, by pointer or arrow keys. `moved` gets its place,
 * clipped to the axes. Returns the point, {x, y}.
 */
export function movable(surface, scale, { x: [x0, x1], y: [y0, y1], step }, start, moved) {
  const point = { ...start };
  const go = (x, y) => {
    point.x = Math.min(x1, Math.max(x0, x));
    point.y = Math.min(y1, Math.max(y0, y));
    moved(point);
  };
  draggable(
    surface,
    (across, down) => {
      const { x, y } = scale();
      const [px, py] = [across * surface.width, down * surface.height];
      go(
        x0 + ((px - x(x0)) / (x(x1) - x(x0))) * (x1 - x0),
        y0 + ((py - y(y0)) / (y(y1) - y(y0))) * (y1 - y0),
      );
    },
    (dx, dy) => go(point.x + dx * step, point.y - dy * step),
  );
  return point;
}

/** A picture with its name below; `name` may be changed by setting `label.textContent`. */
export function titled(surface, name) {
  const label = make("figcaption", {}, name);
  return { node: make("figure", { class: "ddl-titled" }, surface.node, label), label };
}
