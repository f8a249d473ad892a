// What a convolution makes and costs, alone and with a 1x1 convolution in front.
import { button, controls, make, readout, slider } from "./kit.js";

export function start(stage, lecture) {
  const said = readout();
  const body = make("tbody");
  const foot = make("tfoot");
  const names = {
    size: ["height and width", 1, 256],
    kernel: ["kernel", 1, 11],
    stride: ["stride", 1, 4],
    padding: ["padding", 0, 5],
    dilation: ["dilation", 1, 4],
    channels: ["channels in", 1, 256],
    filters: ["channels out", 1, 256],
    middle: ["channels between", 1, 128],
  };
  const set = {};
  for (const [name, [label, min, max]] of Object.entries(names)) {
    set[name] = slider(label, { min, max, step: 1, value: lecture[name] }, draw);
  }
  const reset = button("The lecture's numbers", () => {
    for (const name of Object.keys(names)) set[name].set(lecture[name]);
    draw();
  });

  function draw() {
    const n = Object.fromEntries(Object.keys(names).map((name) => [name, set[name].value]));
    const exact = (n.size + 2 * n.padding - n.dilation * (n.kernel - 1) - 1) / n.stride + 1;
    const out = Math.floor(exact);
    if (out < 1) {
      body.replaceChildren();
      foot.replaceChildren();
      said.textContent = "There is no output: the kernel is larger than the padded input.";
      return;
    }
    const taps = n.kernel ** 2;
    const squeeze = n.channels * n.middle;
    const look = n.middle * n.filters * taps;
    const rows = [
      [`${n.kernel}x${n.kernel} alone`, n.channels * n.filters * taps, out ** 2 * n.channels * n.filters * taps],
      [`1x1 to ${n.middle}, then ${n.kernel}x${n.kernel}`, squeeze + look, n.size ** 2 * squeeze + out ** 2 * look],
    ];
    body.replaceChildren(
      ...rows.map(([name, parameters, operations]) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          make("td", {}, parameters.toLocaleString("en")),
          make("td", {}, operations.toLocaleString("en")),
        ),
      ),
    );
    const [parameters, operations] = [1, 2].map((column) => rows[0][column] / rows[1][column]);
    foot.replaceChildren(
      make(
        "tr",
        {},
        make("th", { scope: "row" }, "first over second"),
        make("td", {}, parameters.toFixed(2)),
        make("td", {}, operations.toFixed(2)),
      ),
    );
    // What one channel in the middle costs, against the convolution alone.
    const even = Math.ceil(rows[0][2] / (n.size ** 2 * n.channels + out ** 2 * n.filters * taps)) - 1;
    said.textContent =
      `The output is ${out} x ${out}${exact > out ? `, rounded down from ${exact.toFixed(2)}` : ""}. The 1x1 convolution in front divides the multiply-adds by ` +
      `${operations.toFixed(2)}. It saves them with ${even < 1 ? "no number of" : `up to ${even}`} channels in the middle.`;
  }

  stage.append(
    controls(...Object.values(set).map((control) => control.node), reset),
    make(
      "table",
      {},
      make(
        "thead",
        {},
        make("tr", {}, ...["layers", "parameters", "multiply-adds"].map((text) => make("th", { scope: "col" }, text))),
      ),
      body,
      foot,
    ),
    said,
  );
  draw();
}
