// A digit under noise, and three networks that are fed their own output again and again.
import { axes, button, canvas, choice, controls, curve, draggable, help, legend, load, make, onTheme, picture, readout, slider, theme, titled, uniform, word } from "./kit.js";

const SIDE = 28;
const NETS = { without: "without skips", with: "with skips", careful: "small steps" };
const MOST = 30; // passes

const clip = (value) => Math.min(1, Math.max(0, value));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share) => `${(100 * share).toFixed(1)}%`;

export async function start(stage, numbers, model) {
  const nets = [];
  for (const name of Object.keys(NETS)) nets.push(await load(model(name)));
  const names = Object.values(NETS);
  const pad = canvas(224, 224, "The clean digit, to draw on. Arrow keys move a frame, the space bar draws in it.");
  const chart = canvas(330, 224, "Ink over passes: a curve for each network, a dotted line for the clean digit.");
  const given = canvas(140, 140, "The digit under noise: what the networks see first.");
  const results = names.map((name) => canvas(140, 140, `The image that comes out ${name}.`));
  const titles = results.map((surface, k) => titled(surface, names[k]));
  const drawn = titled(pad, "clean digit: draw here");
  const inked = titled(chart, "dotted: the clean digit");
  const said = readout();

  let clean;
  let noisy;
  let seed = 1;
  let passes; // for each network: what it sees first, and what it has given back since
  let wanted = 1;
  let running = false;
  const cursor = { x: 13, y: 13 };

  const digit = choice("digit", [...numbers.digits.keys()].map(String), take);
  const range = { min: 0, max: 100, step: 5, value: 50, show: (value) => `${value}%` };
  const share = slider("noisy pixels", range, spoil);
  const empty = button("Clear the pad", () => {
    clean.fill(0);
    spoil();
  });
  const anew = button("New noise", () => {
    seed += 1;
    spoil();
  });
  const feed = button("Feed the output back", () => {
    wanted = Math.min(MOST, wanted + 1);
    run();
  });

  function take() {
    clean = numbers.digits[digit.value].map((value) => value / 255);
    spoil();
  }

  // The page's noise: half of the noisy pixels get -1, half +1, and the sum is clipped.
  function spoil() {
    const draw = uniform(seed);
    const half = share.value / 200;
    noisy = clean.map((value) => {
      const u = draw();
      return clip(value + (u > 1 - half) - (u < half));
    });
    passes = nets.map(() => [noisy]);
    wanted = 1;
    show();
    run();
  }

  async function run() {
    if (running) return; // it will see what is wanted by now
    running = true;
    while (passes[0].length <= wanted) {
      const mine = passes;
      for (const [k, net] of nets.entries()) {
        const image = await net({ shape: [1, 1, SIDE, SIDE], values: mine[k].at(-1) });
        mine[k].push([...image]);
      }
      show();
    }
    running = false;
  }

  function show() {
    const { colors, ink } = theme();
    const done = passes.at(-1).length - 1;
    picture(pad, clean, SIDE);
    pad.context.strokeStyle = colors[4];
    pad.context.lineWidth = 1.5;
    pad.context.strokeRect(8 * cursor.x, 8 * cursor.y, 8, 8);
    picture(given, noisy, SIDE);
    if (!done) return; // the networks are at work
    const inks = passes.map((images) => images.slice(0, done + 1).map(mean));
    const most = 1.6 * Math.max(0.4, ...inks.flat()); // above the curves stand their names
    const ranges = { x: [0, Math.max(10, done)], y: [0, most] };
    const scale = axes(chart, { ...ranges, xlabel: "pass", ylabel: "ink, mean of the pixels" });
    const goal = mean(clean);
    curve(chart, scale, ranges.x.map((x) => [x, goal]), ink, { style: 3, thick: 1.5 });
    inks.forEach((shares, k) => {
      const points = shares.map((value, pass) => [pass, value]);
      curve(chart, scale, points, colors[k], { style: k });
      picture(results[k], passes[k][done], SIDE);
      titles[k].label.textContent = `${names[k]}: ${percent(shares[done])}`;
    });
    legend(chart, names.map((name, k) => [name, colors[k], k]));
    const error = (images) => mean(images[done].map((value, k) => (value - clean[k]) ** 2));
    const each = (tell) => names.map((name, k) => `${name} ${tell(k)}`).join(", ");
    said.tell(
      `Pass ${done}. Ink: clean digit ${percent(goal)}, under noise ${percent(mean(noisy))}, ` +
        `${each((k) => percent(inks[k][done]))}. ` +
        `Squared error: ${each((k) => word(error(passes[k])))}.`,
    );
  }

  // A soft pen, about two pixels wide, at a place in pixels.
  function pen(x, y) {
    clean.forEach((value, k) => {
      const distance = Math.hypot((k % SIDE) + 0.5 - x, Math.floor(k / SIDE) + 0.5 - y);
      clean[k] = Math.max(value, clip(1.6 - distance));
    });
  }

  function aim(x, y) {
    [cursor.x, cursor.y] = [x, y].map((at) => Math.min(SIDE - 1, Math.max(0, Math.floor(at))));
  }

  let last;
  function follow(across, below, begins) {
    const [x, y] = [across * SIDE, below * SIDE];
    last = begins ? [x, y] : last;
    const steps = Math.ceil(2 * Math.hypot(x - last[0], y - last[1])) || 1;
    for (let k = 1; k <= steps; k++) {
      pen(last[0] + ((x - last[0]) * k) / steps, last[1] + ((y - last[1]) * k) / steps);
    }
    last = [x, y];
    aim(x, y);
    spoil();
  }

  let down = false; // the space bar
  function move(dx, dy) {
    aim(cursor.x + dx, cursor.y + dy);
    if (!down) return show();
    pen(cursor.x + 0.5, cursor.y + 0.5);
    spoil();
  }
  draggable(pad, follow, move);
  pad.node.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    down = true;
    move(0, 0);
  });
  for (const type of ["keyup", "blur"]) {
    pad.node.addEventListener(type, (event) => (down &&= type === "keyup" && event.key !== " "));
  }

  stage.append(
    controls(digit.node, empty, share.node, anew),
    make("div", { class: "ddl-row" }, ...[drawn, inked].map((t) => t.node)),
    controls(feed, button("Back to the first pass", spoil)),
    make("div", { class: "ddl-row" }, ...[titled(given, "under noise"), ...titles].map((t) => t.node)),
    said.node,
    help(
      "Draw by touch or mouse. By keyboard: arrow keys move the frame, the space bar draws; " +
        "hold it and the arrow keys draw a line.",
    ),
  );
  onTheme(show);
  take();
}
