/** Asks for notes: several lines of text. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

/** The notes as they shall be; `null` when nothing shall change. */
export async function askNotes(notes: string, trans: TranslationBundle): Promise<string | null> {
  const title = trans.__('Notes');
  const buttons = [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Save') })];
  const answer = await showDialog({ title, body: new NotesField(notes, title), buttons });
  return answer.button.accept ? (answer.value ?? null) : null;
}

class NotesField extends Widget implements Dialog.IBodyWidget<string> {
  constructor(notes: string, label: string) {
    super();
    this.addClass('jp-trackside-notesField');
    this.field.className = 'jp-mod-styled';
    this.field.rows = 8;
    this.field.value = notes;
    this.field.setAttribute('aria-label', label);
    this.node.append(this.field);
  }

  getValue(): string {
    return this.field.value;
  }

  private readonly field = document.createElement('textarea');
}
