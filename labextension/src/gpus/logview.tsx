/** The log of a leased machine's agent, followed while it can be seen. Its text is untrusted, and shown as text. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { AgentLog } from '../model/agentlog';
import { Attention } from '../model/attention';
import type { Trackside } from '../trackside';
import type { Lease, LogName } from '../wire/protocol';

/** So close to its end, in pixels, somebody reads what comes, and it is scrolled along. */
const NEAR_PX = 24;

export class LogView extends ReactWidget {
  constructor(
    private readonly trackside: Trackside,
    private readonly lease: Lease
  ) {
    super();
    this.log = new AgentLog(trackside.api, lease.id);
    this.addClass('jp-trackside-log');
    new Attention(this, {
      feed: trackside.feed,
      wake: () => this.log.start(),
      rest: () => this.log.stop()
    });
  }

  protected override render(): React.JSX.Element {
    return <Log log={this.log} lease={this.lease} trans={this.trackside.trans} />;
  }

  private readonly log: AgentLog;
}

interface LogProps {
  log: AgentLog;
  lease: Lease;
  trans: TranslationBundle;
}

function Log({ log, lease, trans }: LogProps): React.JSX.Element {
  useUpdatesOf(log.changed);
  const text = React.useRef<HTMLPreElement>(null);
  const following = React.useRef(true);
  React.useLayoutEffect(() => {
    if (text.current && following.current) {
      text.current.scrollTop = text.current.scrollHeight;
    }
  });
  const onScroll = ({ currentTarget: node }: React.UIEvent<HTMLPreElement>): void => {
    following.current = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR_PX;
  };
  return (
    <>
      <div className="jp-trackside-logBar">
        <label>
          {trans.__('Log of')}{' '}
          <select value={log.name} onChange={event => (log.name = event.currentTarget.value as LogName)}>
            <option value="agent">{trans.__('the agent')}</option>
            <option value="kernel">{trans.__('the kernel, beside its messages')}</option>
          </select>
        </label>
        <span role="status">{stateOf(log, lease, trans)}</span>
      </div>
      <pre
        ref={text}
        className="jp-trackside-logText"
        tabIndex={0}
        role="region"
        aria-label={trans.__('Log of %1', lease.name)}
        onScroll={onScroll}
      >
        {log.text}
      </pre>
    </>
  );
}

function stateOf(log: AgentLog, lease: Lease, trans: TranslationBundle): string {
  if (log.problem !== null) {
    return log.problem;
  }
  if (log.isMissing) {
    return trans.__('There is no such log on %1 (any more).', lease.machine || lease.target);
  }
  if (!log.isRead) {
    return trans.__('Reading…');
  }
  if (log.text === '') {
    return trans.__('It is empty so far; what comes is shown.');
  }
  return log.isCut ? trans.__('Only its end is shown.') : '';
}
