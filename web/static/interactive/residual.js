// The page's runs by depth: the share of wrong answers, plain against residual, one dot a run.
import { axes, canvas, choice, controls, curve, legend, onTheme, readout, slider, theme } from "./kit.js";

const KINDS = ["plain", "residual"];
const ON = { "on training images": "train", "on test images": "test" };

export function start(stage, { depths, errors }) {
  const surface = canvas(440, 300, "Wrong answers in percent over the depth, one dot for each run.");
  const said = readout();
  const on = choice("wrong answers", Object.keys(ON), draw);
  const depth = slider(
    "layers",
    { min: 0, max: depths.length - 1, step: 1, value: 0, show: (k) => String(depths[k]) },
    draw,
  );
  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)]; // torch's: the lower of two
  };

  function draw() {
    const { colors, ink, paper } = theme();
    const { context, width, height } = surface;
    const scale = axes(surface, { x: [-0.5, depths.length - 0.5], y: [0, 100], ylabel: "wrong in %" });
    context.fillStyle = paper; // the axis counts depths, not numbers
    context.fillRect(0, height - 31, width, 31); // below the zero
    context.fillStyle = ink;
    context.textAlign = "center";
    depths.forEach((layers, k) => context.fillText(`${layers} layers`, scale.x(k), height - 18));
    const parts = KINDS.map((kind, number) => {
      const runs = depths.map((layers) => errors[kind][layers][ON[on.value]].map((share) => 100 * share));
      const color = colors[number];
      const reached = runs.slice(0, depth.value + 1);
      curve(surface, scale, reached.map((values, k) => [k, median(values)]), color, { style: number });
      reached.forEach((values, k) => {
        for (const [i, value] of values.entries()) {
          const x = scale.x(k + 0.06 * (i - (values.length - 1) / 2));
          context.beginPath();
          if (number) context.arc(x, scale.y(value), 4, 0, 7);
          else context.rect(x - 4, scale.y(value) - 4, 8, 8);
          context.globalAlpha = k === depth.value ? 1 : 0.4;
          context.fillStyle = color;
          context.fill();
          context.globalAlpha = 1;
        }
      });
      const now = runs[depth.value];
      return `${kind} ${median(now).toFixed(1)} % (${Math.min(...now).toFixed(1)} to ${Math.max(...now).toFixed(1)})`;
    });
    const count = errors.plain[depths[0]].train.length;
    legend(surface, KINDS.map((kind, number) => [kind, colors[number], number]));
    said.tell(
      `${depths[depth.value]} layers, ${on.value}, median and range of ${count} runs: ${parts.join(", ")}. ` +
        "Squares are plain, discs are residual.",
    );
  }

  stage.append(controls(depth.node, on.node), surface.node, said.node);
  onTheme(draw);
  draw();
}
