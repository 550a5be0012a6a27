/** A run's state as an icon and a word. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { statusIcons } from '../icons';
import type { RunStatus } from '../wire/protocol';

export function statusLabel(status: RunStatus, trans: TranslationBundle): string {
  switch (status) {
    case 'running':
      return trans.__('running');
    case 'finished':
      return trans.__('finished');
    case 'failed':
      return trans.__('failed');
    case 'interrupted':
      return trans.__('interrupted');
    case 'killed':
      return trans.__('killed');
    case 'unknown':
      return trans.__('unknown');
  }
}

export function StatusIcon({ status }: { status: RunStatus }): React.JSX.Element {
  const icon = statusIcons[status] ?? statusIcons.unknown;
  return (
    <span className="jp-trackside-status" data-status={status} aria-hidden="true">
      <icon.react tag={null} />
    </span>
  );
}
