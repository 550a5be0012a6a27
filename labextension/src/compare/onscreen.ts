/** Tells when a node comes into view, or near it, and when it leaves. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

/** What is this close to the view counts as in it, so that scrolling finds it drawn. */
const MARGIN = '240px';

export function onScreen(node: HTMLElement, root: HTMLElement, seen: (inView: boolean) => void): IDisposable {
  const observer = new IntersectionObserver(
    entries => seen(entries[entries.length - 1]?.isIntersecting ?? false),
    { root, rootMargin: MARGIN }
  );
  observer.observe(node);
  return new DisposableDelegate(() => observer.disconnect());
}
