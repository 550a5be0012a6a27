/**
 * HTML of outputs that nobody here vouches for. JupyterLab's sanitizer takes out what runs; it leaves in what asks another
 * machine as soon as somebody looks, and buttons that carry out commands of JupyterLab. Both go here, the first with a word.
 */
import type { IRenderMime } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Attributes from which something is loaded. */
const LOADING = ['src', 'srcset', 'poster', 'background'];
/** Attributes by which a click does more than follow a link. */
const ACTING = ['action', 'formaction', 'ping', 'data-commandlinker-command', 'data-commandlinker-args'];
/** Of what the sanitizer gave, whether there is anything to look at: most outputs are text. */
const SUSPECT = new RegExp(`\\b(?:style|${[...LOADING, ...ACTING].join('|')})\\s*=`, 'i');
/** A function of CSS that loads. Browsers spell a style that they have parsed without escapes. */
const LOADS = /\b(?:url|src|image|image-set)\((?!\s*["']?data:)/i;

export class LocalSanitizer implements IRenderMime.ISanitizer {
  constructor(
    private readonly base: IRenderMime.ISanitizer,
    private readonly trans: TranslationBundle
  ) {}

  get allowNamedProperties(): boolean {
    return this.base.allowNamedProperties ?? false;
  }

  readonly allowCommandLinker = false;

  getAutolink(): boolean {
    return this.base.getAutolink?.() ?? true;
  }

  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    const clean = this.base.sanitize(dirty, options);
    if (!SUSPECT.test(clean)) {
      return clean;
    }
    const page = new DOMParser().parseFromString(clean, 'text/html'); // loads nothing, runs nothing
    page.body.querySelectorAll<HTMLElement>('*').forEach(node => this.keepHere(node));
    return page.body.innerHTML;
  }

  private keepHere(node: HTMLElement): void {
    ACTING.forEach(name => node.removeAttribute(name));
    [...node.style].filter(name => LOADS.test(node.style.getPropertyValue(name))).forEach(name => node.style.removeProperty(name)); // prettier-ignore
    for (const name of LOADING) {
      const from = node.getAttribute(name);
      if (from !== null && !/^\s*data:/i.test(from)) {
        node.removeAttribute(name);
        this.say(node, from);
      }
    }
  }

  /** In the place of what is not loaded. */
  private say(node: HTMLElement, from: string): void {
    const word = node.ownerDocument.createElement('code');
    word.textContent = this.trans.__('not loaded: %1', from.slice(0, 200));
    node.after(word);
    if (node.tagName === 'IMG') {
      node.remove();
    }
  }
}
