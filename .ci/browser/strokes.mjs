// Digits as a hand draws them: strokes over a square of side 1, by real moves of a mouse or a finger.

/** Points on a part of an ellipse, from one angle to another, in degrees clockwise from the right. */
function arc(x, y, across, down, from, to) {
  const steps = Math.ceil(Math.abs(to - from) / 12);
  return Array.from({ length: steps + 1 }, (_, step) => {
    const angle = ((from + ((to - from) * step) / steps) * Math.PI) / 180;
    return [x + across * Math.cos(angle), y + down * Math.sin(angle)];
  });
}

/** The strokes of each digit. */
export const DIGITS = {
  0: [arc(0.5, 0.5, 0.2, 0.32, -90, 275)],
  1: [[[0.53, 0.17], [0.51, 0.4], [0.49, 0.62], [0.47, 0.84]]],
  2: [[...arc(0.48, 0.33, 0.19, 0.16, -165, 40), [0.45, 0.62], [0.28, 0.8], [0.5, 0.79], [0.74, 0.78]]],
  3: [[...arc(0.47, 0.33, 0.18, 0.16, -150, 85), ...arc(0.47, 0.66, 0.21, 0.18, -85, 150)]],
  4: [[[0.36, 0.18], [0.31, 0.36], [0.28, 0.52], [0.48, 0.52], [0.72, 0.5]], [[0.64, 0.2], [0.6, 0.5], [0.57, 0.84]]],
  5: [[[0.36, 0.2], [0.34, 0.34], [0.32, 0.46], ...arc(0.46, 0.63, 0.21, 0.2, -110, 140)], [[0.36, 0.2], [0.54, 0.19], [0.7, 0.18]]],
  6: [[[0.64, 0.17], [0.5, 0.28], [0.39, 0.44], ...arc(0.5, 0.66, 0.16, 0.16, 180, -175)]],
  7: [[[0.27, 0.24], [0.45, 0.22], [0.7, 0.21], [0.62, 0.4], [0.52, 0.62], [0.44, 0.85]]],
  8: [[...arc(0.5, 0.33, 0.14, 0.15, 90, -270), ...arc(0.5, 0.66, 0.17, 0.18, -90, 270)]],
  9: [[...arc(0.49, 0.35, 0.16, 0.16, 0, -360), [0.65, 0.5], [0.62, 0.66], [0.56, 0.84]]],
};

/** Calls `down`, `move` and `up` with the places of a digit on the page. */
async function draw(page, digit, { down, move, up }) {
  const box = await page.locator("#pad").boundingBox();
  const place = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  for (const [first, ...others] of DIGITS[digit]) {
    await down(...place(first));
    for (const point of others) await move(...place(point));
    await up();
  }
}

/** Draws a digit on the canvas by mouse. */
export async function mouse(page, digit) {
  await draw(page, digit, {
    down: async (x, y) => {
      await page.mouse.move(x, y);
      await page.mouse.down();
    },
    move: (x, y) => page.mouse.move(x, y, { steps: 3 }),
    up: () => page.mouse.up(),
  });
}

/** Draws a digit on the canvas by finger. */
export async function finger(page, digit) {
  const device = await page.context().newCDPSession(page);
  const touch = (type, touchPoints) => device.send("Input.dispatchTouchEvent", { type, touchPoints });
  await draw(page, digit, {
    down: (x, y) => touch("touchStart", [{ x, y }]),
    move: (x, y) => touch("touchMove", [{ x, y }]),
    up: () => touch("touchEnd", []),
  });
}
