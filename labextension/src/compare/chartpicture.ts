/** A chart as a picture of its own: heading, lines, and which line is whose run. */
import type { LineStyle } from '../model/palette';

export interface PictureKey {
  name: string;
  style: LineStyle;
}

const MARGIN = 12;
const TITLE = 26;
const ROW = 18;
const DASHES = { solid: [], dashed: [6, 3], dotted: [2, 3] };

/**
 * @param canvas what the drawing library drew, in device pixels.
 * @param host where colours and font are taken from.
 */
export function chartPicture(
  canvas: HTMLCanvasElement,
  title: string,
  keys: readonly PictureKey[],
  host: HTMLElement
): Promise<Blob> {
  const scale = window.devicePixelRatio || 1;
  const style = getComputedStyle(host);
  const [ink, paper] = ['--jp-ui-font-color1', '--jp-layout-color1'].map(name =>
    style.getPropertyValue(name)
  );
  const picture = document.createElement('canvas');
  picture.width = canvas.width + 2 * MARGIN * scale;
  picture.height = canvas.height + (TITLE + keys.length * ROW + 2 * MARGIN) * scale;
  const context = picture.getContext('2d');
  if (!context) {
    return Promise.reject(new Error('This browser gives no canvas to draw on.'));
  }
  context.fillStyle = paper || 'white';
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(canvas, MARGIN * scale, (MARGIN + TITLE) * scale);
  context.scale(scale, scale);
  context.fillStyle = ink || 'black';
  context.textBaseline = 'middle';
  context.font = `600 14px ${style.fontFamily}`;
  context.fillText(title, MARGIN, MARGIN + TITLE / 2 - 3);
  context.font = `12px ${style.fontFamily}`;
  keys.forEach((key, index) => {
    const y = MARGIN + TITLE + canvas.height / scale + (index + 0.5) * ROW;
    context.fillText(key.name, MARGIN + 34, y);
    context.strokeStyle = key.style.colour;
    context.lineWidth = 3;
    context.setLineDash(DASHES[key.style.dash]);
    context.beginPath();
    context.moveTo(MARGIN, y);
    context.lineTo(MARGIN + 26, y);
    context.stroke();
  });
  return new Promise((done, fail) =>
    picture.toBlob(blob => (blob ? done(blob) : fail(new Error('The picture is too large.'))), 'image/png')
  );
}

/** One of several pictures, and the element on the page in whose place it stands. */
export interface Tile {
  node: HTMLElement;
  title: string;
  colour: string;
  picture: HTMLCanvasElement;
}

/** Pictures in the places of their elements within `host`, each below its title. */
export function tilesPicture(host: HTMLElement, tiles: readonly Tile[]): HTMLCanvasElement | null {
  const scale = window.devicePixelRatio || 1;
  const box = host.getBoundingClientRect();
  const canvas = document.createElement('canvas');
  canvas.width = box.width * scale;
  canvas.height = host.scrollHeight * scale;
  const context = canvas.getContext('2d');
  if (!context) {
    return null;
  }
  const style = getComputedStyle(host);
  context.font = `${12 * scale}px ${style.fontFamily}`;
  context.textBaseline = 'top';
  for (const { node, title, colour, picture } of tiles) {
    const place = node.getBoundingClientRect();
    const [left, top] = [(place.left - box.left) * scale, (place.top - box.top) * scale];
    context.fillStyle = colour;
    context.fillRect(left, top + 6 * scale, 14 * scale, 3 * scale);
    context.fillStyle = style.color;
    context.fillText(title, left + 20 * scale, top + 2 * scale, (place.width - 24) * scale);
    context.drawImage(picture, left, top + place.height * scale - picture.height);
  }
  return canvas;
}

/** Lets the browser save a file; characters that file systems refuse become underscores. */
export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 120);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Raises an `Error` that says what to do where the page may not write the clipboard. */
export async function copyPicture(blob: Promise<Blob>): Promise<void> {
  if (typeof ClipboardItem === 'undefined' || !navigator.clipboard) {
    throw new Error(
      'A page may write pictures to the clipboard only over https or on localhost. Save the picture instead.'
    );
  }
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
}
