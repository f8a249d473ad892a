// A window that slides over an image and makes the output, pixel by pixel; below, what a layer of
// such windows costs, alone and with a 1x1 convolution in front.
import { button, canvas, controls, draggable, help, make, onTheme, player, readout, slider, theme, titled } from "./kit.js";

const SIDE = 12; // of the image that is drawn
// A ring, from black to white.
const IMAGE = Array.from({ length: SIDE ** 2 }, (_, k) => {
  const radius = Math.hypot((k % SIDE) - 5.5, Math.floor(k / SIDE) - 5.5);
  return Math.min(1, Math.max(0, 1.5 - Math.abs(radius - 3.5)));
});
const COSTS = ["weights", "multiplications"];

export function start(stage, lecture) {
  const input = canvas(300, 300, "The image and the window over it: arrow keys move the window.");
  const output = canvas(300, 300, "The output: one pixel for each place of the window.");
  const said = readout();
  const costs = readout();
  let at = 0; // the output pixel that the window makes, counted row by row
  let made = new Set(); // those that it has made

  const setting = (name, min, max, change) =>
    slider(name, { min, max, step: 1, value: lecture[name] }, change);
  const kernel = setting("kernel", 1, 5, anew);
  const stride = setting("stride", 1, 3, anew);
  const padding = setting("padding", 0, 2, anew);
  const dilation = setting("dilation", 1, 2, anew);
  const middles = { min: 1, max: 128, step: 1, value: lecture.middle };
  const middle = slider("channels between", middles, weigh);
  const set = { kernel, stride, padding, dilation, middle };
  const reset = button("The lecture's numbers", () => {
    for (const [name, control] of Object.entries(set)) control.set(lecture[name]);
    anew();
  });
  const place = {
    min: 0,
    get value() {
      return at;
    },
    get max() {
      return sizes(SIDE).out ** 2 - 1;
    },
    set(to) {
      const last = at;
      at = Math.max(0, Math.min(this.max, Math.round(to)));
      for (let k = Math.min(last, at); k <= at; k++) made.add(k); // none on the way is left out
    },
  };
  const play = player(place, 8, draw);
  const back = button("Back", () => go(at - 1));
  const next = button("Next", () => go(at + 1));

  /** How far the window reaches, and the output's side for an input's, before and after rounding. */
  function sizes(side) {
    const reach = dilation.value * (kernel.value - 1) + 1;
    const exact = (side + 2 * padding.value - reach) / stride.value + 1;
    return { reach, exact, out: Math.floor(exact) };
  }

  /** The rows and columns of the window's taps for an output pixel, and what lies under them. */
  function taps(k) {
    const { out } = sizes(SIDE);
    const first = [Math.floor(k / out), k % out].map((place) => place * stride.value - padding.value);
    const offsets = Array.from({ length: kernel.value }, (_, tap) => tap * dilation.value);
    return offsets.flatMap((down) =>
      offsets.map((across) => {
        const [row, column] = [first[0] + down, first[1] + across];
        const inside = Math.min(row, column) >= 0 && Math.max(row, column) < SIDE;
        return { row, column, value: inside ? IMAGE[row * SIDE + column] : 0 };
      }),
    );
  }

  /** An output pixel: every tap has the same weight, so that the window takes the mean. */
  const pixel = (k) => taps(k).reduce((sum, { value }) => sum + value / kernel.value ** 2, 0);

  function anew() {
    play.stop();
    at = 0;
    made = new Set([0]);
    draw();
    weigh();
  }

  function go(to) {
    play.stop();
    at = Math.max(0, Math.min(place.max, to));
    made.add(at);
    draw();
  }

  function moveTo(row, column) {
    const { out } = sizes(SIDE);
    const [r, c] = [row, column].map((to) => Math.max(0, Math.min(out - 1, to)));
    go(r * out + c);
  }

  draggable(
    input,
    (across, down) => {
      const { reach } = sizes(SIDE);
      const over = (share) => share * (SIDE + 2 * padding.value) - reach / 2; // the window's edge
      moveTo(...[down, across].map((share) => Math.round(over(share) / stride.value)));
    },
    (dx, dy) => {
      const { out } = sizes(SIDE);
      moveTo(Math.floor(at / out) + dy, (at % out) + dx);
    },
  );

  function draw() {
    const { out } = sizes(SIDE);
    const { colors, ink, faint, paper } = theme();
    const all = SIDE + 2 * padding.value;
    const cell = input.width / all;
    const box = ({ context }, row, column, value) => {
      context.fillStyle = value === undefined ? paper : `rgb(${Array(3).fill(Math.round(255 * value))})`;
      context.fillRect(column * cell, row * cell, cell, cell);
      context.strokeStyle = faint;
      context.lineWidth = 1;
      context.strokeRect(column * cell, row * cell, cell, cell);
    };
    const zero = ({ context }, row, column) => {
      context.fillStyle = ink;
      context.fillText("0", (column + 0.5) * cell, (row + 0.5) * cell + 4);
    };
    const frame = ({ context }, row, column, color) => {
      context.strokeStyle = color;
      context.lineWidth = 3;
      context.strokeRect(column * cell + 1.5, row * cell + 1.5, cell - 3, cell - 3);
    };
    for (const { context, width, height } of [input, output]) {
      context.fillStyle = paper;
      context.fillRect(0, 0, width, height);
      context.textAlign = "center";
      context.font = "11px system-ui, sans-serif";
    }
    for (let k = 0; k < all ** 2; k++) {
      const [row, column] = [Math.floor(k / all), k % all];
      const [r, c] = [row - padding.value, column - padding.value];
      const inside = Math.min(r, c) >= 0 && Math.max(r, c) < SIDE;
      box(input, row, column, inside ? IMAGE[r * SIDE + c] : undefined);
      if (!inside) zero(input, row, column);
    }
    for (const { row, column } of taps(at)) {
      frame(input, row + padding.value, column + padding.value, colors[0]);
    }
    for (let k = 0; k < out ** 2; k++) {
      box(output, Math.floor(k / out), k % out, made.has(k) ? pixel(k) : undefined);
    }
    frame(output, Math.floor(at / out), at % out, colors[1]);
    const products = kernel.value ** 2;
    said.tell(
      `Output pixel in row ${Math.floor(at / out) + 1}, column ${(at % out) + 1} of ${out} x ${out}: ` +
        `${products} ${products === 1 ? "product adds" : "products add"} up to ${pixel(at).toFixed(3)}. ` +
        `Each weight is 1/${products}: the output is the mean under the window.`,
    );
  }

  const groups = COSTS.map((cost) => {
    const rows = [0, 1].map(() => ({
      name: make("span"),
      count: make("span"),
      bar: make("div", { class: "ddl-bar" }),
    }));
    const lines = rows.flatMap(({ name, count, bar }) => [make("p", {}, name, " ", count), bar]);
    const node = make("div", { class: "ddl-bars", role: "group", "aria-label": cost });
    node.append(make("p", { class: "ddl-bars-name" }, cost), ...lines);
    return { node, rows };
  });

  function weigh() {
    const { channels, filters, size } = lecture;
    const { out, exact } = sizes(size);
    const squeeze = channels * middle.value;
    const look = middle.value * filters * kernel.value ** 2;
    const alone = channels * filters * kernel.value ** 2;
    const counts = [
      [alone, squeeze + look],
      [out ** 2 * alone, size ** 2 * squeeze + out ** 2 * look],
    ];
    const window = `${kernel.value}x${kernel.value}`;
    const names = [`${window} alone`, `1x1 to ${middle.value}, then ${window}`];
    groups.forEach(({ rows }, t) => {
      const most = Math.max(...counts[t]);
      rows.forEach(({ name, bar, count }, k) => {
        name.textContent = names[k];
        count.textContent = counts[t][k].toLocaleString("en");
        bar.style.width = `${(100 * counts[t][k]) / most}%`;
        if (k) bar.style.background = theme().colors[0]; // as the curve of the still figure
      });
    });
    const [direct, pair] = counts[1];
    // What one channel between costs, against the convolution alone.
    const even = Math.ceil(direct / (size ** 2 * channels + out ** 2 * filters * kernel.value ** 2)) - 1;
    costs.tell(
      `From ${channels} channels of ${size} x ${size} to ${filters} of ${out} x ${out}` +
        `${exact > out ? `, rounded down from ${exact.toFixed(2)}` : ""}: ` +
        `the 1x1 convolution in front divides the multiplications by ${(direct / pair).toFixed(2)}. ` +
        `It saves them with ${even < 1 ? "no number of" : `up to ${even}`} channels between.`,
    );
  }

  stage.append(
    controls(kernel.node, stride.node, padding.node, dilation.node),
    make("div", { class: "ddl-row" }, titled(input, "image, with the window").node, titled(output, "output").node),
    controls(back, next, play.node, reset),
    said.node,
    help("Drag the window by touch or mouse, or move it by arrow keys."),
    controls(middle.node),
    make("div", { class: "ddl-row" }, ...groups.map(({ node }) => node)),
    costs.node,
  );
  onTheme(() => {
    draw();
    weigh();
  });
  anew();
}
