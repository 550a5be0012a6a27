/** Tells when a node has come to rest at another width. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

/** How long a width rests before it counts, in milliseconds: while a splitter is dragged there are many. */
const REST_MS = 150;

export function onResize(node: HTMLElement, rested: () => void): IDisposable {
  let [width, timer] = [0, 0];
  const observer = new ResizeObserver(() => {
    if (node.clientWidth > 0 && node.clientWidth !== width) {
      width = node.clientWidth;
      window.clearTimeout(timer);
      timer = window.setTimeout(rested, REST_MS);
    }
  });
  observer.observe(node);
  return new DisposableDelegate(() => {
    window.clearTimeout(timer);
    observer.disconnect();
  });
}
