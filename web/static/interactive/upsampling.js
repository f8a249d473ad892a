// A convolution or its transpose along one axis, cell by cell, and how often each output is written.
import {
  button, canvas, choice, controls, make, onTheme, player, readout, shade, slider, theme, titled,
} from "./kit.js";

const TRANSPOSED = "transposed: each input cell is stamped";
const WAYS = [TRANSPOSED, "convolution: each output cell reads"];

export function start(stage, { length }) {
  const strip = canvas(Math.min(520, innerWidth - 64), 220, "Input cells above, output cells below, lines for the taps of this step.");
  const plane = canvas(220, 220, "How often each output pixel is written in two dimensions, as colour and number.");
  const said = readout();
  let step = 0;
  const way = choice("operation", WAYS, anew);
  const setting = (label, min, max, value) => slider(label, { min, max, step: 1, value }, anew);
  const kernel = setting("kernel", 1, 5, 3);
  const stride = setting("stride", 1, 4, 2);
  const padding = setting("padding", 0, 2, 0);
  const dilation = setting("dilation", 1, 3, 1);
  const place = {
    min: 0,
    get value() {
      return step;
    },
    get max() {
      return Math.max(0, layout().steps - 1);
    },
    set(to) {
      step = Math.max(0, Math.min(this.max, Math.round(to)));
    },
  };
  const play = player(place, 3, draw);
  const back = button("Back", () => go(step - 1));
  const next = button("Next", () => go(step + 1));

  /** Sizes, and for each step the pairs of input and output cell that its taps join. */
  function layout() {
    const [k, s, p, d] = [kernel, stride, padding, dilation].map((control) => control.value);
    const transposed = way.value === TRANSPOSED;
    const reach = d * (k - 1) + 1;
    const size = transposed
      ? (length - 1) * s - 2 * p + reach
      : Math.floor((length + 2 * p - reach) / s) + 1;
    const out = Math.max(0, size);
    const steps = out ? (transposed ? length : out) : 0;
    const joins = (at) =>
      Array.from({ length: k }, (_, tap) => {
        const other = at * s - p + tap * d;
        return transposed ? [at, other] : [other, at];
      });
    return { k, s, p, d, transposed, reach, size, out, steps, joins };
  }

  function counts(until) {
    const { out, joins } = layout();
    const found = new Array(out).fill(0);
    for (let at = 0; at <= until; at++) {
      for (const [input, output] of joins(at)) {
        if (input >= 0 && input < length && output >= 0 && output < out) found[output] += 1;
      }
    }
    return found;
  }

  function anew() {
    play.stop();
    step = 0;
    draw();
  }

  function go(to) {
    play.stop();
    place.set(to);
    draw();
  }

  function draw() {
    const { k, s, p, d, transposed, reach, size, out, steps, joins } = layout();
    const { context, width, height } = strip;
    const { colors, ink, faint, paper } = theme();
    context.fillStyle = paper;
    context.fillRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    const wide = Math.min(34, (width - 20) / Math.max(length, out, 1));
    const x = (count) => (cell) => width / 2 + (cell - (count - 1) / 2) * wide;
    const [top, low] = [x(length), x(out)];
    const now = steps ? joins(step) : [];
    const reads = new Set(now.map(([input]) => input));
    const writes = new Set(now.map(([, output]) => output));
    const sofar = counts(step);
    const cell = (middle, y, on, text) => {
      context.fillStyle = on || paper;
      context.strokeStyle = on ? ink : faint;
      context.fillRect(middle - wide / 2 + 1, y, wide - 2, 30);
      context.strokeRect(middle - wide / 2 + 1, y, wide - 2, 30);
      context.fillStyle = on ? paper : ink;
      context.fillText(text, middle, y + 19);
    };
    context.strokeStyle = ink;
    context.lineWidth = 2;
    for (const [input, output] of now) {
      if (input < 0 || input >= length || output < 0 || output >= out) continue;
      context.beginPath();
      context.moveTo(top(input), 60);
      context.lineTo(low(output), 150);
      context.stroke();
    }
    context.lineWidth = 1;
    for (let i = 0; i < length; i++) cell(top(i), 30, reads.has(i) && colors[0], i + 1);
    sofar.forEach((count, o) => cell(low(o), 150, writes.has(o) && colors[1], count));
    context.fillStyle = ink;
    context.fillText("input cells", width / 2, 20);
    context.fillText("output cells: how many taps have reached each", width / 2, 205);

    const total = counts(steps - 1);
    const most = Math.max(1, ...total) ** 2;
    const square = plane.context;
    square.fillStyle = paper;
    square.fillRect(0, 0, plane.width, plane.height);
    square.textAlign = "center";
    square.font = "10px system-ui, sans-serif";
    const side = plane.width / Math.max(1, out);
    total.forEach((row, r) =>
      total.forEach((column, c) => {
        const count = row * column;
        square.fillStyle = `rgb(${shade("RdBu_r", 0.5 + count / most / 3.2)})`; // as in the still one
        square.fillRect(c * side, r * side, side + 0.5, side + 0.5);
        square.fillStyle = "#000";
        if (count && side > 14) square.fillText(count, (c + 0.5) * side, (r + 0.5) * side + 4);
      }),
    );
    const border = reach - 1;
    const inner = total.slice(border, out - border);
    const formula = transposed
      ? `(${length} − 1) · ${s} − 2 · ${p} + ${reach} = ${size}`
      : `⌊(${length} + 2 · ${p} − ${reach}) / ${s}⌋ + 1 = ${size}`;
    const words = !steps
      ? `Output size ${formula}: there is no output, the kernel does not fit.`
      : `Output size ${formula}. Step ${step + 1} of ${steps}: input ` +
        `${told(reads, length)} to output ${told(writes, out)}. ` +
        (inner.length
          ? `Away from the border each output gets ${Math.min(...inner)} to ${Math.max(...inner)} taps.`
          : "Every output is near the border.");
    said.tell(words);
  }

  function told(cells, size) {
    const inside = [...cells].filter((cell) => cell >= 0 && cell < size).map((cell) => cell + 1);
    return inside.length ? inside.sort((a, b) => a - b).join(", ") : "none (padding)";
  }

  stage.append(
    controls(way.node),
    controls(kernel.node, stride.node, padding.node, dilation.node),
    strip.node,
    controls(back, next, play.node),
    said.node,
    make("div", { class: "ddl-row" }, titled(plane, "Taps that reach each pixel of an image").node),
  );
  onTheme(draw);
  draw();
}
