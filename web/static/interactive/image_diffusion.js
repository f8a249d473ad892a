// The walk from noise to a digit: what the network sees, and what it takes for the clean image.
import { button, canvas, choice, controls, gaussian, load, make, picture, readout, slider, still, titled, word } from "./kit.js";

const SIDE = 14;
const T = 1000;
const NOTHING = 10; // the class that tells nothing

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
  let playing = 0; // the animation that may move the slider

  const digit = choice("digit", [..."0123456789", "not told"], () => {});
  digit.node.querySelector("select").value = "3";
  const weights = { min: 0, max: 4, step: 0.5, value: 1, show: word };
  const weight = slider("guidance w", weights, () => {});
  const noise = slider("noise number", { min: 0, max: 50, step: 1, value: 0 }, () => {});
  const strides = choice("steps", ["1", "2", "5", "10", "20", "50"], () => {});
  strides.node.querySelector("select").value = "20";
  const place = slider("steps taken", { min: 0, max: 20, step: 1, value: 0 }, () => {
    playing += 1;
    show();
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

  // DDIM: take all noise out, put the same noise back, less of it.
  async function walk(begun) {
    const mine = ++asked;
    const count = begun.length ? path.length - 1 : Number(strides.value);
    const wish = { digit: digit.value, label: Number(digit.value), weight: weight.value };
    if (Number.isNaN(wish.label)) wish.label = NOTHING;
    let x = begun.pop()?.x ?? fresh();
    const from = begun.length;
    for (let k = from; k < count; k++) {
      const [t, next] = [k, k + 1].map((stop) => (T * (count - stop)) / count);
      const [signal, rest] = [Math.sqrt(kept[t]), Math.sqrt(1 - kept[t])];
      const v = await answer(x, t, wish);
      if (mine !== asked) return;
      const guess = x.map((value, i) => signal * value - rest * v[i]);
      begun.push({ t, x, guess, wish });
      const predicted = x.map((value, i) => rest * value + signal * v[i]);
      const [more, less] = [Math.sqrt(kept[next]), Math.sqrt(1 - kept[next])];
      x = guess.map((value, i) => more * value + less * predicted[i]);
    }
    begun.push({ t: 0, x, guess: x, wish: from < count ? wish : path.at(-1).wish });
    path = begun;
    place.node.querySelector("input").max = count;
    play(from, count);
  }

  function play(from, count) {
    const mine = ++playing;
    const begin = performance.now();
    const step = (now) => {
      if (mine !== playing) return; // the reader has taken over
      const part = still() ? 1 : Math.min(1, (now - begin) / 3000);
      place.set(from + Math.round(part * (count - from)));
      show();
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function show() {
    const { t, x, guess, wish } = path[place.value];
    const [image, clean] = [x, guess].map((values) => values.map(toPixel));
    picture(seen, image, SIDE);
    picture(taken, clean, SIDE);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const told = `asked for the digit ${wish.digit} with w = ${word(wish.weight)}`;
    said.textContent =
      `After ${place.value} of ${path.length - 1} steps, t = ${t}, ` +
      `${wish.label === NOTHING ? "digit not told" : told}. ` +
      `Mean brightness of the image ${mean(image).toFixed(4)}, of the guess ${mean(clean).toFixed(4)}.`;
    stage.dataset.image = JSON.stringify(x.map((value) => Number(value.toFixed(5)))); // for tests
  }

  stage.append(
    controls(digit.node, weight.node, strides.node, noise.node),
    controls(
      button("Sample", () => walk([])),
      button("Walk on from here", () => walk(path.slice(0, place.value + 1))),
    ),
    make(
      "div",
      { class: "ddl-row" },
      titled(seen, "the network sees").node,
      titled(taken, "it takes for clean").node,
    ),
    controls(place.node),
    said,
  );
  await walk([]);
}
