/** SVG of an output as a picture: in an `<img>` no script of it runs, and it loads nothing. */
import type { IRenderMime } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

const SVG = 'image/svg+xml';

class Drawing extends Widget implements IRenderMime.IRenderer {
  constructor() {
    super();
    this.addClass('jp-RenderedImage');
  }

  renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const image = document.createElement('img');
    const [source, words] = [textOf(data[SVG]), textOf(data['text/plain'])];
    image.alt = words.slice(0, 200) || 'SVG';
    image.src = `data:${SVG};charset=utf-8,${encodeURIComponent(source.replace(/\p{Surrogate}/gu, '\ufffd'))}`;
    this.node.replaceChildren(image);
    return Promise.resolve();
  }
}

/** Takes the place of JupyterLab's, which puts a drawing into the page and therefore shows none that is not trusted. */
export const drawings: IRenderMime.IRendererFactory = {
  safe: true,
  mimeTypes: [SVG],
  defaultRank: 80,
  createRenderer: () => new Drawing()
};

/** Notebooks keep long texts as lists of lines. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join('') : typeof value === 'string' ? value : '';
}
