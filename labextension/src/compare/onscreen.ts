/** Tells when a node comes into view, or near it, and when it leaves. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

/** What is this close to the view counts as in it, so that scrolling finds it drawn. */
const MARGIN = '240px';

/** @param root what scrolls; `null`: the page, and whatever scrolls in between. */
export function onScreen(
  node: HTMLElement,
  root: HTMLElement | null,
  seen: (inView: boolean) => void
): IDisposable {
  const observer = new IntersectionObserver(
    entries => seen(entries[entries.length - 1]?.isIntersecting ?? false),
    // A root's margin does not reach into what scrolls inside of it; there is another word for that.
    { root, rootMargin: MARGIN, scrollMargin: MARGIN } as IntersectionObserverInit
  );
  observer.observe(node);
  return new DisposableDelegate(() => observer.disconnect());
}
