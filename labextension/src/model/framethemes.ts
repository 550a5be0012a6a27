/**
 * Pages of ours in a frame, such as the output of `%compare`, follow JupyterLab's theme.
 *
 * Such a frame is sandboxed: it can neither see JupyterLab nor inherit its colours. It asks, and is told whether the
 * theme is dark, now and whenever it changes. `kernel_magics/figures/page_style.py` has the other side.
 */
import type { IThemeManager } from '@jupyterlab/apputils';

/** What a page asks; it is answered by {@link ThemeWord}. */
const QUESTION = 'trackside:theme?';

export interface ThemeWord {
  type: 'trackside:theme';
  dark: boolean;
}

/** Answers from now on, as long as the window is there. */
export function tellFrames(themes: IThemeManager): void {
  /** Those that have asked; a frame that is gone is forgotten with its window. */
  const asked = new WeakSet<object>();
  const word = (): ThemeWord => ({
    type: 'trackside:theme',
    dark: themes.theme !== null && !themes.isLight(themes.theme)
  });
  window.addEventListener('message', ({ data, source }: MessageEvent<{ type?: unknown } | null>) => {
    if (data?.type === QUESTION && source) {
      asked.add(source);
      // A sandboxed page has no origin to name; it is no secret whether the theme is dark.
      source.postMessage(word(), { targetOrigin: '*' });
    }
  });
  themes.themeChanged.connect(() => {
    for (const { contentWindow } of document.querySelectorAll('iframe')) {
      if (contentWindow && asked.has(contentWindow)) {
        contentWindow.postMessage(word(), '*');
      }
    }
  });
}
