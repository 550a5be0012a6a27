/** A part of the comparison that can be folded. */
import { caretDownIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Panel, PanelLayout, Widget } from '@lumino/widgets';

export class Section extends Panel {
  /**
   * @param onFold told when the person folds or unfolds.
   */
  constructor(
    label: string,
    private readonly body: Widget,
    folded: boolean,
    private readonly onFold: (folded: boolean) => void,
    level: 'h3' | 'h4' = 'h3'
  ) {
    super();
    this.addClass('jp-trackside-part');
    this.button.className = 'jp-trackside-partHead';
    this.button.type = 'button';
    caretDownIcon.element({ container: this.caret, width: '16px', height: '16px' });
    this.caret.className = 'jp-trackside-partCaret';
    const words = document.createElement('span');
    words.textContent = label;
    this.count.className = 'jp-trackside-partCount';
    this.button.append(this.caret, words, this.count);
    const heading = document.createElement(level);
    heading.append(this.button);
    this.head = new Widget({ node: heading });
    (this.layout as PanelLayout).addWidget(this.head);
    this.addWidget(body);
    this.setFolded(folded);
  }

  /** What stands beside the label: how much there is. */
  set note(text: string) {
    this.count.textContent = text;
  }

  /** Without its head it cannot be folded, and shows its body. */
  set headed(headed: boolean) {
    this.head.setHidden(!headed);
    this.body.setHidden(headed && this.button.getAttribute('aria-expanded') === 'false');
  }

  setFolded(folded: boolean): void {
    this.button.setAttribute('aria-expanded', String(!folded));
    this.body.setHidden(folded);
  }

  handleEvent(event: Event): void {
    if (event.type === 'click') {
      const folded = !this.body.isHidden;
      this.setFolded(folded);
      this.onFold(folded);
    }
  }

  protected override onBeforeAttach(msg: Message): void {
    super.onBeforeAttach(msg);
    this.button.addEventListener('click', this);
  }

  protected override onAfterDetach(msg: Message): void {
    this.button.removeEventListener('click', this);
    super.onAfterDetach(msg);
  }

  private readonly head: Widget;
  private readonly button = document.createElement('button');
  private readonly caret = document.createElement('span');
  private readonly count = document.createElement('span');
}
