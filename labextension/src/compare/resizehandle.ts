/** The corner by which a chart is given another size: dragged, or moved with the arrow keys. */

export interface Shift {
  /** To the right, in pixels. */
  x: number;
  /** Downwards, in pixels. */
  y: number;
}

export interface ResizeHandleOptions {
  label: string;
  title: string;
  /** Called again and again while it is dragged, with the whole way from where it began. */
  onDrag: (shift: Shift) => void;
  /** It was let go. */
  onDrop: (shift: Shift) => void;
  /** The drag was broken off. */
  onCancel: () => void;
  /** One step of an arrow key in this direction; each of -1, 0, 1. */
  onStep: (x: number, y: number) => void;
  /** Double-click, or Home: the usual size again. */
  onReset: () => void;
}

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1]
};

export function resizeHandle(options: ResizeHandleOptions): HTMLButtonElement {
  const handle = document.createElement('button');
  handle.type = 'button';
  handle.className = 'jp-trackside-sizeHandle';
  handle.title = options.title;
  handle.setAttribute('aria-label', options.label);
  handle.addEventListener('dblclick', options.onReset);
  handle.addEventListener('pointerdown', event => event.button === 0 && drag(handle, event, options));
  handle.addEventListener('keydown', event => {
    const step = STEPS[event.key];
    if (step) {
      options.onStep(...step);
    } else if (event.key === 'Home') {
      options.onReset();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  return handle;
}

/** Until it is let go, or Escape. */
function drag(handle: HTMLElement, begun: PointerEvent, options: ResizeHandleOptions): void {
  const over = new AbortController();
  const shift = (event: PointerEvent): Shift => ({
    x: event.clientX - begun.clientX,
    y: event.clientY - begun.clientY
  });
  const until = { signal: over.signal };
  handle.setPointerCapture(begun.pointerId);
  handle.addEventListener('pointermove', event => options.onDrag(shift(event)), until);
  handle.addEventListener(
    'pointerup',
    event => {
      over.abort();
      const { x, y } = shift(event);
      if (x !== 0 || y !== 0) {
        options.onDrop({ x, y });
      }
    },
    until
  );
  const cancel = (): void => {
    over.abort();
    options.onCancel();
  };
  handle.addEventListener('pointercancel', cancel, until);
  handle.addEventListener('keydown', event => event.key === 'Escape' && cancel(), until);
}
