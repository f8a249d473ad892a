// Two logistic units of two inputs: added, multiplied, or one of them as a gate on x2.
import { axes, canvas, choice, controls, heat, help, movable, onTheme, readout, slider, word } from "./kit.js";

const logistic = (z) => 1 / (1 + Math.exp(-z));
const WAYS = {
  "added: f(x1) + g(x2)": (f, g) => f + g,
  "multiplied: f(x1) · g(x2)": (f, g) => f * g,
  "a gate on x2: f(x1) · x2": (f, g, x2) => f * x2,
};

export function start(stage, numbers) {
  const range = { x: [-4, 4], y: [-4, 4] };
  const surface = canvas(380, 340, "A point among the values of both inputs: arrow keys move it. Dark is low, light is high.");
  const said = readout();
  let scale;
  const unit = (name, w, b) => [
    slider(`weight ${name}`, { min: -10, max: 10, step: 0.5, value: w, show: word }, draw),
    slider(`bias ${name}`, { min: -10, max: 10, step: 0.5, value: b, show: word }, draw),
  ];
  const way = choice("combine", Object.keys(WAYS), draw);
  const [w1, b1] = unit("of f", numbers.w1, numbers.b1);
  const [w2, b2] = unit("of g", numbers.w2, numbers.b2);
  const value = (x1, x2) =>
    WAYS[way.value](logistic(b1.value + w1.value * x1), logistic(b2.value + w2.value * x2), x2);
  const point = movable(surface, () => scale, { ...range, step: 0.25 }, { x: 1, y: 1 }, draw);

  function draw() {
    const gate = way.value.startsWith("a gate");
    const top = gate ? [-4, 4] : [0, way.value.startsWith("added") ? 2 : 1];
    scale = axes(surface, { ...range, xlabel: "x1", ylabel: "x2" });
    heat(surface, scale, range, value, top, "gray");
    const { context } = surface;
    context.beginPath();
    context.arc(scale.x(point.x), scale.y(point.y), 6, 0, 7);
    context.lineWidth = 3;
    context.strokeStyle = "#fff";
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = "#000";
    context.stroke();
    for (const control of [w2, b2]) control.node.hidden = gate;
    said.tell(
      `At x1 = ${word(point.x)}, x2 = ${word(point.y)} the value is ` +
        `${value(point.x, point.y).toFixed(3)}. Dark is ${word(top[0])}, light is ${top[1]}.`,
    );
  }

  stage.append(
    controls(way.node),
    controls(w1.node, b1.node),
    controls(w2.node, b2.node),
    surface.node,
    said.node,
    help("Move the point by touch, mouse or arrow keys."),
  );
  onTheme(draw);
  draw();
}
