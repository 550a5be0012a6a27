/** What BokehJS 3.9 never lets go of by itself, and so would keep every chart that was closed. */
import Bokeh from './library';

interface View {
  connect_signals(): void;
  remove(): void;
}

const listening = new WeakMap<View, AbortController>();

/**
 * Has views of figures end their listening to the window's size when they are removed.
 *
 * `PlotView.connect_signals` gives `visualViewport` a listener that nobody can take away; it holds the view, its
 * canvases and all its data. What it adds while it runs is bound to a signal of ours.
 */
export function letViewsGo(): void {
  const view = (Bokeh.Plot.prototype as unknown as { default_view: { prototype: View } }).default_view
    .prototype;
  const { connect_signals: connect, remove } = view;
  view.connect_signals = function (): void {
    const { visualViewport } = window;
    const controller = new AbortController();
    listening.set(this, controller);
    if (!visualViewport) {
      connect.call(this);
      return;
    }
    const { signal } = controller;
    const add = (type: string, listener: EventListener): void =>
      EventTarget.prototype.addEventListener.call(visualViewport, type, listener, { signal });
    Object.defineProperty(visualViewport, 'addEventListener', { value: add, configurable: true });
    try {
      connect.call(this);
    } finally {
      Reflect.deleteProperty(visualViewport, 'addEventListener');
    }
  };
  view.remove = function (): void {
    listening.get(this)?.abort();
    remove.call(this);
  };
}

/** Every document that is made is kept in a list; here it is taken off. */
export function letDocumentGo(document: InstanceType<typeof Bokeh.Document>): void {
  const at = Bokeh.documents.indexOf(document);
  if (at >= 0) {
    Bokeh.documents.splice(at, 1);
  }
}
