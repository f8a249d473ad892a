// A point on the map of two latents, and the digit that the page's VAE makes of it.
import { axes, canvas, choice, controls, help, load, make, movable, onTheme, picture, player, readout, slider, theme, word } from "./kit.js";

const RANGE = { x: [-3, 3], y: [-3, 3] };

const CELLS = 15; // of the atlas, along each side
const MAPS = ["decoded digits", "codes of test images"];

export async function start(stage, numbers, model) {
  const decode = await load(model("decoder"));
  const map = canvas(360, 352, "Your point on the map of two latents: arrow keys move it.");
  const digit = canvas(196, 196, "The image that the decoder makes of your point.");
  const said = readout();
  const atlas = await decoded();
  let scale;
  let asked = 0;
  const shown = choice("the map shows", MAPS, draw);
  const point = movable(map, () => scale, { ...RANGE, step: 0.1 }, { x: 0, y: 0 }, () => {
    go.stop();
    show();
  });

  const digits = [...Array(10).keys()].map(String);
  const from = choice("walk from", digits, walk);
  const to = choice("to", digits, walk, "1");
  const way = slider("on the way", { min: 0, max: 1, step: 0.02, value: 0, show: word }, () => {
    go.stop();
    walk();
  });
  const go = player(way, 3, walk, "Walk");

  /** The page's map: what the decoder makes of the middle of each cell. */
  async function decoded() {
    const { node, context } = canvas(28 * CELLS, 28 * CELLS, "");
    const middle = (k) => -3 + (6 * (k + 0.5)) / CELLS;
    for (let row = 0; row < CELLS; row++) {
      for (let column = 0; column < CELLS; column++) {
        const code = [middle(column), -middle(row)];
        const image = await decode({ shape: [1, 2], values: code });
        picture({ context }, [...image], 28, { x: 28 * column, y: 28 * row, width: 28, height: 28 });
      }
    }
    return node;
  }

  function walk() {
    const [a, b] = [numbers.centers[from.value], numbers.centers[to.value]];
    [point.x, point.y] = a.map((value, k) => value + way.value * (b[k] - value));
    show();
  }

  function draw() {
    scale = axes(map, { ...RANGE, xlabel: "z₁", ylabel: "z₂" });
    const { context } = map;
    if (shown.value === MAPS[0]) {
      context.imageSmoothingEnabled = true;
      const [left, top, right, bottom] = [scale.x(-3), scale.y(3), scale.x(3), scale.y(-3)];
      context.drawImage(atlas, left, top, right - left, bottom - top);
    } else {
      dots();
    }
    context.beginPath();
    context.arc(scale.x(point.x), scale.y(point.y), 8, 0, 7);
    for (const [thick, color] of [[6, "#000"], [3, theme().colors[4]]]) {
      context.lineWidth = thick;
      context.strokeStyle = color;
      context.stroke();
    }
  }

  function dots() {
    const { context } = map;
    const { colors } = theme();
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    numbers.codes.forEach(([x, y], k) => {
      if (Math.max(Math.abs(x), Math.abs(y)) > 3) return;
      context.fillStyle = colors[numbers.labels[k] % 6]; // black, the seventh, is not for dark paper
      context.fillText(String(numbers.labels[k]), scale.x(x), scale.y(y) + 4);
    });
  }

  async function show() {
    draw();
    const mine = ++asked;
    const image = await decode({ shape: [1, 2], values: [point.x, point.y] });
    if (mine !== asked) return; // the point has moved on
    picture(digit, [...image], 28);
    const ink = image.reduce((sum, value) => sum + value, 0) / image.length;
    said.tell(`Latents ${word(point.x)} and ${word(point.y)}; mean brightness ${ink.toFixed(4)}.`);
  }

  stage.append(
    controls(shown.node),
    make("div", { class: "ddl-row" }, map.node, digit.node),
    said.node,
    help("Move the point by touch, mouse or arrow keys."),
    controls(from.node, to.node, way.node, go.node),
  );
  onTheme(draw);
  await show();
}
