/** Shows a node over the whole page until Escape; then it is back in its place, and the focus where it was. */
import { closeIcon } from '@jupyterlab/ui-components';

export interface FullScreenOptions {
  title: string;
  /** Of the button that leaves. */
  closeLabel: string;
  /** Told when the node is back. */
  onClosed: () => void;
}

/** A modal dialog of the browser's: it keeps the focus inside and gives it back. */
export function showFullScreen(node: HTMLElement, options: FullScreenOptions): HTMLDialogElement {
  const place = document.createComment('full screen');
  node.replaceWith(place);
  const dialog = document.createElement('dialog');
  dialog.className = 'jp-trackside-fullScreen';
  dialog.setAttribute('aria-label', options.title);
  const head = document.createElement('div');
  head.className = 'jp-trackside-fullScreenHead';
  const title = document.createElement('span');
  title.textContent = options.title;
  const close = document.createElement('button');
  close.type = 'button';
  close.className = 'jp-trackside-iconButton';
  close.title = options.closeLabel;
  close.setAttribute('aria-label', options.closeLabel);
  closeIcon.element({ container: close, tag: 'span', width: '18px', height: '18px' });
  close.addEventListener('click', () => dialog.close());
  head.append(title, close);
  dialog.append(head, node);
  dialog.addEventListener('close', () => {
    place.replaceWith(node);
    dialog.remove();
    options.onClosed();
  });
  dialog.addEventListener('keydown', event => event.stopPropagation());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
