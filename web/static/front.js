// The front page: a walk from noise to a digit, and a claim that can be broken.
"use strict";

(() => {
  const make = (kind, about = {}, ...children) => {
    const node = Object.assign(document.createElement(kind), about);
    node.append(...children);
    return node;
  };
  const slider = (name, about, changed) => {
    const input = make("input", { type: "range", step: 1, ...about });
    const output = make("output", { textContent: about.value });
    input.addEventListener("input", () => {
      output.textContent = input.value;
      changed();
    });
    return { input, output, node: make("label", { className: "ddl-control" }, name, input, output) };
  };

  // --- Noise becomes a digit: all frames lie in one picture, and two numbers choose one of them. ---

  for (const walk of document.querySelectorAll(".ddl-walk")) {
    const steps = Number(walk.dataset.steps);
    const now = walk.querySelector(".ddl-walk-now");
    const strip = walk.querySelector(".ddl-walk-strip");
    let playing = 0;

    const show = () => {
      const at = `after ${place.input.value} of ${steps} steps`;
      now.firstChild.style.setProperty("--frame", place.input.value);
      for (const frame of walk.querySelectorAll(".ddl-frame")) {
        frame.style.setProperty("--digit", digit.value);
      }
      now.setAttribute("aria-label", `The image ${at}.`);
      place.input.setAttribute("aria-valuetext", at);
      strip.setAttribute(
        "aria-label",
        `Seven stages of one image, from grey noise to a handwritten ${digit.value}.`,
      );
    };
    const go = (step) => {
      place.input.value = step;
      place.output.textContent = step;
      show();
    };
    const play = () => {
      const mine = ++playing;
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return go(steps);
      const begin = performance.now();
      const move = (time) => {
        if (mine !== playing) return; // the reader has taken over
        const part = Math.min(1, Math.max(0, (time - begin) / 3000));
        go(Math.round(part * steps));
        if (part < 1) requestAnimationFrame(move);
      };
      return requestAnimationFrame(move);
    };

    const place = slider("steps", { min: 0, max: steps, value: steps }, () => {
      playing += 1;
      show();
    });
    const options = [..."0123456789"].map((value) => make("option", { value, textContent: value }));
    const digit = make("select", {}, ...options);
    digit.value = walk.dataset.digit;
    digit.addEventListener("change", play);
    const again = make("button", { type: "button", textContent: "Start from noise" });
    again.addEventListener("click", play);
    const asked = make("label", { className: "ddl-control" }, "ask for", digit);
    walk.querySelector(".ddl-walk-controls").append(asked, again, place.node);
    now.setAttribute("role", "img");
    show();
    if (walk.getBoundingClientRect().top < innerHeight) play();
  }

  // --- How often a transposed convolution writes each pixel. ---------------------------------------

  for (const box of document.querySelectorAll("[data-claim='overlap']")) {
    const card = box.querySelector(".ddl-claim");
    const said = card.querySelector(".ddl-said b");
    const [measured, , verdict] = card.querySelectorAll(".ddl-facts b");
    const MEANS = "Each square is a pixel; the stronger its colour, the more often it is written.";
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", "0 0 8 8");
    picture.setAttribute("role", "img");

    // Along an axis: the stamps that reach each of the pixels of one stride, away from the border.
    const reached = (kernel, stride) =>
      Array.from({ length: stride }, (_, phase) => Math.ceil((kernel - phase) / stride));

    const show = () => {
      const [k, s] = [Number(kernel.input.value), Number(stride.input.value)];
      const times = reached(k, s);
      const [least, most] = [Math.min(...times) ** 2, Math.max(...times) ** 2];
      const holds = least === 4 && most === 4;
      card.className = `ddl-claim ddl-${holds ? "holds" : "fails"}`;
      said.textContent =
        `${holds ? "✓" : "✗"} Away from the border, kernel ${k} with stride ${s} ` +
        "stamps a pixel 4 times";
      measured.textContent = `(${least}, ${most})`;
      verdict.textContent = holds ? "holds" : "fails";
      picture.setAttribute(
        "aria-label",
        `Eight by eight pixels, written ${least === most ? least : `${least} to ${most}`} times.`,
      );
      const cells = [];
      for (let row = 0; row < 8; row++) {
        for (let column = 0; column < 8; column++) {
          const share = (times[row % s] * times[column % s]) / most;
          cells.push(`<rect x="${column}" y="${row}" width="1.02" height="1.02" opacity="${share}"/>`);
        }
      }
      picture.innerHTML = cells.join("");
    };
    const kernel = slider("kernel", { min: 1, max: 6, value: 4 }, show);
    const stride = slider("stride", { min: 1, max: 4, value: 2 }, show);
    const words = make("div", {}, make("p", { textContent: MEANS }), kernel.node, stride.node);
    box.querySelector(".ddl-break").append(picture, words);
    card.setAttribute("aria-live", "polite");
    show();
  }
})();
