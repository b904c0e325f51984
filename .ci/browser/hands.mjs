// What hands do besides drawing digits: keys alone, two pointers at once, a button that is let go elsewhere.

/** The places of the page that a screen reader reads out when they change. */
export function livePlaces(page) {
  const live = page.locator("output, [aria-live], [role=status], [role=alert], [role=log]");
  return live.evaluateAll((all) => all.map((place) => place.id).sort().join(" "));
}

/** Draws a line with keys alone, from the beginning of the page; whether there is an answer only while something is drawn. */
export async function byKeyboard(page, isAnswered) {
  const press = async (key, times = 1) => {
    for (let time = 0; time < times; time++) await page.keyboard.press(key);
  };
  await page.evaluate(() => document.activeElement?.blur());
  for (let tab = 0; tab < 60 && (await page.evaluate(() => document.activeElement.id)) !== "pad"; tab++) await press("Tab");
  const isSeen = await page.isVisible("#pen");
  await press("Shift+ArrowUp", 5);
  const isEmpty = !(await isAnswered());
  await press("Space");
  await press("Shift+ArrowDown", 10);
  await press("Space");
  await press("ArrowRight", 20);
  const ink = await inkAt(page, [0.5, 0.6], [0.85, 0.5]);
  const isDrawn = (await isAnswered()) && ink[0] > 0.9 && ink[1] === 0;
  await press("Escape");
  return isSeen && isEmpty && isDrawn && !(await isAnswered());
}

/** The ink at places of the pad, given as shares of its sides. */
function inkAt(page, ...places) {
  return page.evaluate(async (places) => {
    const { ink, width, height } = (await (await import("./demo.js")).demo).pad.drawing();
    return places.map(([x, y]) => ink[Math.floor(y * height) * width + Math.floor(x * width)]);
  }, places);
}

/** A finger draws while a mouse is moved, then a mouse whose button is let go where the page does not see it; what is wrong. */
export async function withTwoPointers(page) {
  const box = await page.locator("#pad").boundingBox();
  const place = (x, y) => ({ x: box.x + x * box.width, y: box.y + y * box.height });
  const device = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) => device.send("Input.dispatchTouchEvent", { type, touchPoints });
  const move = ({ x, y }) => page.mouse.move(x, y);

  await touch("touchStart", place(0.2, 0.2));
  await touch("touchMove", place(0.2, 0.4));
  await move(place(0.8, 0.8));
  await touch("touchMove", place(0.2, 0.6));
  await touch("touchEnd");
  const [finger, other] = await inkAt(page, [0.2, 0.5], [0.8, 0.8]);
  if (finger < 0.9 || other > 0) return `ink of the finger ${finger}, of the mouse ${other}`;

  await page.tap("#clear");
  await move(place(0.2, 0.2));
  await page.mouse.down();
  await move(place(0.2, 0.4));
  await page.locator("#pad").dispatchEvent("pointermove", { pointerId: 1, isPrimary: true, buttons: 0 });
  await move(place(0.8, 0.8));
  await page.mouse.up();
  const [before, after] = await inkAt(page, [0.2, 0.3], [0.5, 0.6]);
  return before > 0.9 && after === 0 ? "" : `ink before letting go ${before}, after it ${after}`;
}
