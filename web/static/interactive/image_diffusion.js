// The walk from noise to a digit: what the network sees, and what it takes for the clean image.
import { button, canvas, choice, controls, gaussian, load, make, picture, player, readout, slider, titled, word } from "./kit.js";

const SIDE = 14;
const T = 1000;
const NOTHING = 10; // the class that tells nothing
const UNTOLD = "not told";

const toPixel = (value) => Math.min(1, Math.max(0, (value + 1) / 2));

/** The page's schedule, alpha-bar for t = 0, ..., T (Nichol and Dhariwal, equation 17). */
function cosine() {
  const curve = (t) => Math.cos(((Math.PI / 2) * (t / T + 0.008)) / 1.008) ** 2;
  const kept = [1];
  for (let t = 1; t <= T; t++) kept.push(kept[t - 1] * Math.max(0.001, curve(t) / curve(t - 1)));
  return kept;
}

export async function start(stage, numbers, model) {
  const velocity = await load(model("velocity"));
  const kept = cosine();
  const seen = canvas(154, 154, "The image at the step shown: noise at first, a digit in the end.");
  const taken = canvas(154, 154, "What the network takes for the clean image at the step shown.");
  const said = readout();
  let path = []; // of the walk, for each stop: the step t, the image, the network's guess, the wish
  let asked = 0; // the latest walk

  const digits = [..."0123456789", UNTOLD];
  const digit = choice("digit", digits, sample, "3");
  const weights = { min: 0, max: 4, step: 0.5, value: 1, show: word };
  const weight = slider("guidance w", weights, sample);
  const noise = slider("noise number", { min: 0, max: 50, step: 1, value: 0 }, sample);
  const strides = choice("steps", ["1", "2", "5", "10", "20", "50"], sample, "20");
  const place = slider("steps taken", { min: 0, max: 20, step: 1, value: 0 }, () => {
    play.stop();
    show();
  });
  const play = player(place, 3, show);
  const other = choice("then ask for", digits, () => {}, "8");
  const on = button("Walk on from here", async () => {
    play.stop();
    if (place.value === place.max) return said.tell("The walk is at its end: take it back first.");
    const walked = await walk(other.value, path.slice(0, place.value));
    if (!walked) return;
    path = walked;
    play.play();
  });

  function fresh() {
    const draw = gaussian(noise.value);
    return noise.value ? Array.from({ length: SIDE * SIDE }, draw) : numbers.noise;
  }

  // The network's own answer v, guided: the noise is sqrt(1 - a) x + sqrt(a) v.
  async function answer(x, t, wish) {
    const both = await velocity(
      { shape: [2, 1, SIDE, SIDE], values: [...x, ...x] },
      { shape: [2], values: [t, t], type: "int64" },
      { shape: [2], values: [wish.label, NOTHING], type: "int64" },
    );
    return x.map((_, k) => (1 + wish.weight) * both[k] - wish.weight * both[SIDE * SIDE + k]);
  }

  // DDIM: take all noise out, put the same noise back, less of it. `begun` is what stays of the
  // path shown. Returns the path, or nothing if the reader has meanwhile wished another.
  async function walk(label, begun = []) {
    const mine = ++asked;
    const count = begun.length ? path.length - 1 : Number(strides.value);
    const wish = { digit: label, label: label === UNTOLD ? NOTHING : Number(label), weight: weight.value };
    const walked = [...begun];
    let x = begun.length ? path[begun.length].x : fresh();
    for (let k = begun.length; k < count; k++) {
      const [t, next] = [k, k + 1].map((stop) => (T * (count - stop)) / count);
      const [signal, rest] = [Math.sqrt(kept[t]), Math.sqrt(1 - kept[t])];
      const v = await answer(x, t, wish);
      if (mine !== asked) return undefined;
      const guess = x.map((value, i) => signal * value - rest * v[i]);
      walked.push({ t, x, guess, wish });
      const predicted = x.map((value, i) => rest * value + signal * v[i]);
      const [more, less] = [Math.sqrt(kept[next]), Math.sqrt(1 - kept[next])];
      x = guess.map((value, i) => more * value + less * predicted[i]);
    }
    walked.push({ t: 0, x, guess: x, wish: walked.at(-1).wish });
    return walked;
  }

  // A new walk for the choices, shown as far along as the one before.
  async function sample() {
    play.stop();
    const walked = await walk(digit.value);
    if (!walked) return;
    const share = path.length ? place.value / (path.length - 1) : 0;
    path = walked;
    place.max = path.length - 1;
    place.set(Math.round(share * (path.length - 1)));
    show();
  }

  function show() {
    const { t, x, guess, wish } = path[place.value];
    const [image, clean] = [x, guess].map((values) => values.map(toPixel));
    picture(seen, image, SIDE);
    picture(taken, clean, SIDE);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const told = `asked for the digit ${wish.digit} with w = ${word(wish.weight)}`;
    said.tell(
      `After ${place.value} of ${path.length - 1} steps, t = ${t}, ` +
        `${wish.label === NOTHING ? "digit not told" : told}. ` +
        `Mean brightness of the image ${mean(image).toFixed(4)}, of the guess ${mean(clean).toFixed(4)}.`,
    );
    stage.dataset.image = JSON.stringify(x.map((value) => Number(value.toFixed(5)))); // for tests
  }

  stage.append(
    controls(digit.node, weight.node, strides.node, noise.node),
    make(
      "div",
      { class: "ddl-row" },
      titled(seen, "the network sees").node,
      titled(taken, "it takes for clean").node,
    ),
    controls(place.node, play.node),
    said.node,
    controls(other.node, on),
  );
  await sample();
}
