/** What somebody writes about a comparison: plain text, kept with the view, and put into its report. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import type { CompareModel } from './comparemodel';
import { LONGEST_NOTES } from './comparestate';

interface NotesProps {
  model: CompareModel;
  trans: TranslationBundle;
}

export class Notes extends ReactWidget {
  constructor(private readonly props: NotesProps) {
    super();
    this.addClass('jp-trackside-notes');
  }

  protected override render(): React.JSX.Element {
    return <NotesText {...this.props} />;
  }
}

function NotesText({ model, trans }: NotesProps): React.JSX.Element {
  useUpdatesOf(model.changed);
  return (
    <textarea
      rows={4}
      maxLength={LONGEST_NOTES}
      value={model.state.notes}
      placeholder={trans.__('What you see in these runs; it stands above the charts of a report.')}
      aria-label={trans.__('Notes on this comparison')}
      onChange={event => model.update({ notes: event.currentTarget.value })}
    />
  );
}
