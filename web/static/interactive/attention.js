// A query in the plane: its scores with the keys, their softmax, the mixture of the values.
import { axes, canvas, choice, controls, curve, heat, help, make, movable, onTheme, readout, slider, theme, word } from "./kit.js";

const RANGE = { x: [-3, 3], y: [-3, 3] };
const DIVIDED = "divided by √d";
const softmax = (scores) => {
  const top = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - top));
  const sum = shares.reduce((a, b) => a + b);
  return shares.map((share) => share / sum);
};
const mix = (weights, values) => weights.reduce((sum, weight, k) => sum + weight * values[k], 0);

/** The size of diag(a) − a aᵀ, the derivative of the weights with respect to the scores. */
const slope = (a) =>
  Math.sqrt(a.flatMap((p, i) => a.map((q, j) => ((i === j ? p : 0) - p * q) ** 2)).reduce((s, t) => s + t));

export function start(stage, { keys, values, query, lengths }) {
  const plane = canvas(340, 320, "The query among four keys: arrow keys move it. The colour is the mixture that a query there reads.");
  const bars = canvas(320, 250, "Four bars, the weights of the keys, and a line with the mixture of their values.");
  const said = readout();
  let scale;
  const length = choice("dimension d", lengths.map(String), draw);
  const root = choice("scores", [DIVIDED, "as they are"], draw);
  const heatOf = slider("temperature", { min: 0.1, max: 4, step: 0.1, value: 1, show: word }, draw);
  const point = movable(plane, () => scale, { ...RANGE, step: 0.1 }, { x: query[0], y: query[1] }, draw);

  const scores = (x, y) => keys.map(([a, b]) => Math.sqrt(length.value / 2) * (a * x + b * y));
  const entering = (x, y) => {
    const by = heatOf.value * (root.value === DIVIDED ? Math.sqrt(length.value) : 1);
    return scores(x, y).map((score) => score / by);
  };
  const [low, high] = [Math.min(...values), Math.max(...values)];

  function drawPlane(weights) {
    scale = axes(plane, { ...RANGE, xlabel: "first number", ylabel: "second number" });
    heat(plane, scale, RANGE, (x, y) => mix(softmax(entering(x, y)), values), [low, high], "viridis");
    const { context } = plane;
    for (const [thick, color] of [[6, "#000"], [3, "#fff"]]) {
      curve(plane, scale, [[0, 0], [point.x, point.y]], color, { thick });
    }
    const disc = (x, y, radius, rim) => {
      context.beginPath();
      context.arc(scale.x(x), scale.y(y), radius, 0, 7);
      context.fillStyle = "#fff";
      context.fill();
      context.lineWidth = 3;
      context.strokeStyle = rim;
      context.stroke();
    };
    const { colors } = theme();
    context.textAlign = "center";
    context.font = "11px system-ui, sans-serif";
    keys.forEach(([x, y], k) => {
      disc(x, y, 9 + 9 * weights[k], colors[k]);
      context.fillStyle = "#000";
      context.fillText(values[k], scale.x(x), scale.y(y) + 4);
    });
    disc(point.x, point.y, 6, "#000");
  }

  function drawBars(weights, before, after) {
    const { context, width, height } = bars;
    const { colors, ink, faint, paper } = theme();
    context.fillStyle = paper;
    context.fillRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    const [left, long] = [62, width - 62 - 46];
    weights.forEach((weight, k) => {
      const y = 8 + 42 * k;
      context.textAlign = "left";
      context.fillStyle = ink;
      context.fillText(`value ${values[k]}`, 6, y + 13);
      context.fillText(weight.toFixed(3), left + long + 8, y + 13);
      context.fillText(`score ${word(before[k])}, into softmax ${word(after[k])}`, left, y + 32);
      context.strokeStyle = faint;
      context.strokeRect(left, y, long, 17);
      context.fillStyle = colors[k];
      context.fillRect(left, y, long * weight, 17);
    });
    const [x, y] = [(value) => left + ((value - low) / (high - low)) * long, height - 34];
    context.strokeStyle = ink;
    context.strokeRect(left, y, long, 0);
    context.fillStyle = ink;
    context.textAlign = "left";
    context.fillText("mixture", 6, y + 4);
    context.textAlign = "center";
    for (const value of values) context.fillText(value, x(value), y + 24);
    context.beginPath();
    context.arc(x(mix(weights, values)), y, 7, 0, 7);
    context.fill();
  }

  function draw() {
    const [before, after] = [scores(point.x, point.y), entering(point.x, point.y)];
    const weights = softmax(after);
    drawPlane(weights);
    drawBars(weights, before, after);
    said.tell(
      `Query ${word(point.x)}, ${word(point.y)}. Scores: ${before.map(word).join(", ")}. ` +
        `Weights: ${weights.map((weight) => weight.toFixed(3)).join(", ")}. ` +
        `Mixture of the values: ${mix(weights, values).toFixed(2)}. ` +
        `Size of the derivative: ${slope(weights).toFixed(3)}.`,
    );
  }

  stage.append(
    controls(length.node, root.node, heatOf.node),
    make("div", { class: "ddl-row" }, plane.node, bars.node),
    said.node,
    help("Move the query by touch, mouse or arrow keys."),
  );
  onTheme(draw);
  draw();
}
