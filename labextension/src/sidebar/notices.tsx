/** What the sidebar says when there is nothing to show. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Feed } from '../wire/feed';

interface FeedNoticeProps {
  feed: Feed;
  /** Why something could not be read although the feed is open; it is tried again by itself. */
  problem?: string | null;
  trans: TranslationBundle;
}

/** Why the feed is not open or what it brings could not be read, in a sentence. Nothing while all is well. */
export function FeedNotice({ feed, problem, trans }: FeedNoticeProps): React.JSX.Element | null {
  if (feed.state === 'idle') {
    return null;
  }
  if (feed.state === 'open') {
    return problem ? (
      <div className="jp-trackside-notice" role="status">
        <span>{problem}</span>
      </div>
    ) : null;
  }
  if (feed.problem === null) {
    return null;
  }
  return (
    <div className="jp-trackside-notice" role="status" data-feed={feed.state}>
      <span>{feed.problem}</span>
      <button className="jp-trackside-link" onClick={() => feed.retry()}>
        {trans.__('Try now')}
      </button>
    </div>
  );
}

const EXAMPLE =
  '%load_ext kernel_magics\n\n%%track my-first-run\nfor step in range(100):\n    run.log({"loss": 1 / (step + 1)})';

/** Stands for the magic while the sentence is translated: translation takes `%%` for an escaped `%`. */
const MAGIC = '\u0000';

export function NoRuns({ trans }: { trans: TranslationBundle }): React.JSX.Element {
  return (
    <div className="jp-trackside-empty">
      <h3>{trans.__('No runs yet')}</h3>
      <p>
        {trans
          .__(
            'Put %1 on top of a training cell, and it is on the record: source, outputs and metrics.',
            MAGIC
          )
          .split(MAGIC)
          .flatMap((part, index) => (index === 0 ? [part] : [<code key={index}>%%track</code>, part]))}
      </p>
      <pre tabIndex={0} role="region" aria-label={trans.__('Example')}>
        {EXAMPLE}
      </pre>
    </div>
  );
}

interface NoMatchProps {
  text: string;
  onClear: () => void;
  trans: TranslationBundle;
}

export function NoMatch({ text, onClear, trans }: NoMatchProps): React.JSX.Element {
  return (
    <div className="jp-trackside-empty">
      <p>{trans.__('No run matches “%1”.', text)}</p>
      <button className="jp-trackside-link" onClick={onClear}>
        {trans.__('Clear the filter')}
      </button>
    </div>
  );
}
