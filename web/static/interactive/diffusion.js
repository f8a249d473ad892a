// Particles on a line, on the way to noise and back: many steps or few, with fresh noise or none.
import { axes, button, canvas, choice, controls, curve, gaussian, load, make, onTheme, player, readout, slider, theme, word } from "./kit.js";

const WAYS = ["back, no fresh noise (DDIM)", "back, fresh noise (DDPM)", "forward, data to noise"];
const LOW = -3.5, HIGH = 3.5;

export async function start(stage, numbers, model) {
  const { alpha_bar: kept, means, std, weights, starts, clean } = numbers;
  const T = kept.length - 1;
  const cloud = canvas(360, 260, "A histogram of the particles, and the exact density as a curve.");
  const paths = canvas(360, 260, "The paths of some particles over the steps.");
  const said = readout();
  let net; // loaded when it is chosen first
  let frames = []; // of the walk: for each stop the step t and the particles
  let seed = 1;
  let run = 0;

  const way = choice("direction", WAYS, walk);
  const by = choice("noise predicted", ["exactly", "by the page's network"], walk);
  const steps = choice("steps", ["5", "10", "20", "40", "80", "1000"], walk, "20");
  const place = slider("along the walk", { min: 0, max: 20, step: 1, value: 0 }, () => {
    play.stop();
    draw();
  });
  const again = button("Other noise", () => {
    seed += 1;
    walk();
  });
  const play = player(place, 3, draw);

  /** E[noise | x_t], by how likely each hill is. */
  function exact(x, t) {
    const variance = kept[t] * std ** 2 + 1 - kept[t];
    return x.map((value) => {
      const offsets = means.map((mean) => value - Math.sqrt(kept[t]) * mean);
      const shares = offsets.map((o, k) => weights[k] * Math.exp(-(o ** 2) / (2 * variance)));
      const sum = shares.reduce((a, b) => a + b);
      const mean = offsets.reduce((total, o, k) => total + (shares[k] / sum) * o, 0);
      return (Math.sqrt(1 - kept[t]) / variance) * mean;
    });
  }

  async function predict(x, t) {
    if (by.value === "exactly") return exact(x, t);
    if (!net) said.tell("The page's network is loading …");
    net ??= load(model("network"));
    return (await net)(
      { shape: [x.length, 1], values: x },
      { shape: [x.length], values: x.map(() => t), type: "int64" },
    );
  }

  async function walk() {
    const mine = ++run;
    play.stop();
    try {
      const found = await path(mine);
      if (mine !== run) return; // the reader has chosen something else
      const share = frames.length ? place.value / (frames.length - 1) : 0;
      frames = found;
      place.max = found.length - 1;
      place.set(Math.round(share * (found.length - 1)));
      draw();
    } catch (problem) {
      net = undefined; // to be tried again
      said.tell(`The network could not be loaded: ${problem.message}`);
    }
  }

  /** The walk: for each stop the step and the particles. Where another is wanted, it breaks off. */
  async function path(mine) {
    const n = Number(steps.value);
    const stops = Array.from({ length: n + 1 }, (_, k) => Math.round((T * k) / n));
    const normal = gaussian(seed);
    const found = [];
    if (way.value === WAYS[2]) {
      found.push({ t: 0, x: clean });
      for (let k = 1; k <= n; k++) {
        const ratio = kept[stops[k]] / kept[stops[k - 1]];
        const next = found[k - 1].x.map((v) => Math.sqrt(ratio) * v + Math.sqrt(1 - ratio) * normal());
        found.push({ t: stops[k], x: next });
      }
    } else {
      found.push({ t: T, x: starts });
      for (let k = n; k > 0; k--) {
        const [t, s] = [stops[k], stops[k - 1]];
        const x = found.at(-1).x;
        const noise = await predict(x, t);
        if (mine !== run) return found;
        const [a, b] = [kept[t], kept[s]];
        const next = x.map((value, i) => {
          const x0 = (value - Math.sqrt(1 - a) * noise[i]) / Math.sqrt(a);
          if (way.value === WAYS[0]) return Math.sqrt(b) * x0 + Math.sqrt(1 - b) * noise[i];
          const beta = 1 - a / b; // of the whole stride
          const mean = (value - (beta / Math.sqrt(1 - a)) * noise[i]) / Math.sqrt(1 - beta);
          return mean + Math.sqrt((beta * (1 - b)) / (1 - a)) * normal();
        });
        found.push({ t: s, x: next });
      }
    }
    return found;
  }

  function density(t, x) {
    const variance = kept[t] * std ** 2 + 1 - kept[t];
    return means.reduce((sum, mean, k) => {
      const o = x - Math.sqrt(kept[t]) * mean;
      return sum + (weights[k] * Math.exp(-(o ** 2) / (2 * variance))) / Math.sqrt(2 * Math.PI * variance);
    }, 0);
  }

  /** Mean distance between the particles and the density's quantiles of the same ranks. */
  function distance({ t, x }) {
    const sorted = [...x].sort((a, b) => a - b);
    let [area, at, sum] = [0, -6, 0];
    const fine = 0.0005;
    sorted.forEach((value, k) => {
      while (area < (k + 0.5) / sorted.length && at < 6) {
        area += fine * density(t, at + fine / 2);
        at += fine;
      }
      sum += Math.abs(value - at);
    });
    return sum / sorted.length;
  }

  function draw() {
    if (!frames.length) return;
    const frame = frames[Math.min(place.value, frames.length - 1)];
    const { colors, ink, faint } = theme();
    let scale = axes(cloud, { x: [LOW, HIGH], y: [0, 0.8], xlabel: "x", ylabel: "density" });
    const bins = new Array(70).fill(0);
    for (const value of frame.x) {
      const k = Math.floor((value - LOW) * 10);
      if (bins[k] !== undefined) bins[k] += 10 / frame.x.length;
    }
    cloud.context.fillStyle = faint;
    bins.forEach((height, k) => {
      const top = scale.y(Math.min(0.8, height));
      cloud.context.fillRect(scale.x(LOW + k / 10), top, scale.x(0.1) - scale.x(0) - 1, scale.y(0) - top);
    });
    const line = Array.from({ length: 141 }, (_, k) => LOW + k / 20);
    curve(cloud, scale, line.map((x) => [x, Math.min(0.8, density(frame.t, x))]), colors[0]);

    const walked = frames.slice(0, place.value + 1);
    scale = axes(paths, { x: [T, 0], y: [LOW, HIGH], xlabel: "step t", ylabel: "x" });
    for (let i = 12; i < frame.x.length; i += 25) {
      const end = frames.at(-1).t === 0 ? frames.at(-1).x[i] : frames[0].x[i];
      const color = colors[end > -0.4 ? 1 : 0];
      curve(paths, scale, walked.map(({ t, x }) => [t, x[i]]), color, { thick: 1 });
      paths.context.fillStyle = color;
      paths.context.fillRect(scale.x(frame.t) - 2, scale.y(frame.x[i]) - 2, 4, 4);
    }
    curve(paths, scale, [[frame.t, LOW], [frame.t, HIGH]], ink, { style: 1, thick: 1 });
    said.tell(
      `At step ${frame.t} of ${T} a share ${word(Math.sqrt(kept[frame.t]))} of the data is left; ` +
        `Wasserstein distance of the particles to the exact density ${distance(frame).toFixed(4)}.`,
    );
  }

  stage.append(
    controls(way.node, steps.node, by.node),
    make("div", { class: "ddl-row" }, cloud.node, paths.node),
    controls(place.node, play.node, again),
    said.node,
  );
  onTheme(draw);
  await walk();
}
