// A point on the map of two latents, and the digit that the page's VAE makes of it.
import { axes, button, canvas, choice, controls, load, make, movable, onTheme, picture, readout, slider, still, theme, word } from "./kit.js";

const RANGE = { x: [-3, 3], y: [-3, 3] };

export async function start(stage, numbers, model) {
  const decode = await load(model("decoder"));
  const map = canvas(340, 320, "A map of two latents: one dot for each test image, and your point.");
  const digit = canvas(196, 196, "The image that the decoder makes of your point.");
  const said = readout();
  let scale;
  let asked = 0;
  const point = movable(map, () => scale, { ...RANGE, step: 0.1 }, { x: 0, y: 0 }, show);

  const digits = [...Array(10).keys()].map(String);
  const from = choice("walk from", digits, walk);
  const to = choice("to", digits, walk);
  to.node.querySelector("select").value = "1";
  const way = slider("on the way", { min: 0, max: 1, step: 0.02, value: 0, show: word }, walk);
  const go = button("Walk", () => {
    const begin = performance.now();
    const step = (now) => {
      const part = still() ? 1 : Math.min(1, (now - begin) / 3000);
      way.set(part);
      walk();
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });

  function walk() {
    const [a, b] = [numbers.centers[from.value], numbers.centers[to.value]];
    [point.x, point.y] = a.map((value, k) => value + way.value * (b[k] - value));
    show();
  }

  function draw() {
    scale = axes(map, { ...RANGE, xlabel: "first latent", ylabel: "second latent" });
    const { context } = map;
    const { colors } = theme();
    numbers.codes.forEach(([x, y], k) => {
      if (Math.max(Math.abs(x), Math.abs(y)) > 3) return;
      context.fillStyle = colors[numbers.labels[k] % colors.length];
      context.font = "9px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(String(numbers.labels[k]), scale.x(x), scale.y(y) + 3);
    });
    context.beginPath();
    context.arc(scale.x(point.x), scale.y(point.y), 7, 0, 7);
    context.fillStyle = "#fff";
    context.fill();
    context.lineWidth = 3;
    context.strokeStyle = "#000";
    context.stroke();
  }

  async function show() {
    draw();
    const mine = ++asked;
    const image = await decode({ shape: [1, 2], values: [point.x, point.y] });
    if (mine !== asked) return; // the point has moved on
    picture(digit, [...image], 28);
    const ink = image.reduce((sum, value) => sum + value, 0) / image.length;
    said.textContent =
      `Latents ${word(point.x)} and ${word(point.y)}; mean brightness ${ink.toFixed(4)}.`;
  }

  stage.append(
    make("div", { class: "ddl-row" }, map.node, digit.node),
    said,
    controls(from.node, to.node, way.node, go),
    make("p", { class: "ddl-readout" }, "Move the point by touch, mouse or arrow keys."),
  );
  onTheme(draw);
  await show();
}
