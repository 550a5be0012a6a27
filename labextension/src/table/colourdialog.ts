/** Asks which line style a run shall have. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { lineStyle, STYLES } from '../model/palette';

/** The number of a style; `null` for the run's own; `undefined` when nothing was chosen. */
export async function askColour(
  current: number | null,
  dark: boolean,
  trans: TranslationBundle
): Promise<number | null | undefined> {
  const body = new StyleChoice(current, dark, trans);
  const answer = await showDialog({
    title: trans.__('Colour'),
    body,
    buttons: [
      Dialog.cancelButton(),
      Dialog.createButton({ label: trans.__('By itself'), actions: ['own'] }),
      Dialog.okButton()
    ]
  });
  if (!answer.button.accept) {
    return undefined;
  }
  return answer.button.actions.includes('own') ? null : (answer.value ?? undefined);
}

class StyleChoice extends Widget implements Dialog.IBodyWidget<number | null> {
  constructor(
    private chosen: number | null,
    dark: boolean,
    trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-trackside-styles');
    this.node.setAttribute('role', 'radiogroup');
    this.node.setAttribute('aria-label', trans.__('Line styles'));
    for (let slot = 0; slot < STYLES; slot++) {
      this.node.append(this.button(slot, dark, trans));
    }
  }

  getValue(): number | null {
    return this.chosen;
  }

  private button(slot: number, dark: boolean, trans: TranslationBundle): HTMLElement {
    const style = lineStyle(slot, dark);
    const label = document.createElement('label');
    const radio = document.createElement('input');
    radio.type = 'radio';
    radio.name = `${this.id}-style`;
    radio.checked = slot === this.chosen;
    radio.setAttribute('aria-label', trans.__('Style %1: %2, %3', slot + 1, style.colour, style.dash));
    radio.addEventListener('change', () => (this.chosen = slot));
    const line = document.createElement('span');
    line.style.borderTop = `4px ${style.dash} ${style.colour}`;
    label.append(radio, line);
    return label;
  }
}
