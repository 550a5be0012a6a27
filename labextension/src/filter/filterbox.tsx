/** The box in which a filter is typed: offers what may come next, and says in place what is wrong. */
import { InputGroup } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Run } from '../wire/protocol';
import { complete, type Completion } from './complete';
import type { RunFilter } from './runfilter';

interface FilterBoxProps {
  filter: RunFilter;
  runs: readonly Run[];
  /** Fields of the filter that no run has. */
  suspects: readonly string[];
  onChange: (text: string) => void;
  trans: TranslationBundle;
}

export function FilterBox({ filter, runs, suspects, onChange, trans }: FilterBoxProps): React.JSX.Element {
  const id = React.useId();
  const box = React.useRef<HTMLDivElement>(null);
  /** Where the caret belongs once the box has the text of an option that was taken. */
  const caret = React.useRef<{ text: string; at: number } | null>(null);
  const [offer, setOffer] = React.useState<Completion | null>(null);
  const [active, setActive] = React.useState(-1);
  const field = (): HTMLInputElement | null => box.current?.querySelector('input') ?? null;
  const close = (): void => setOffer(null);
  const look = (): void => {
    const input = field();
    setOffer(input && complete(input.value, input.selectionStart ?? input.value.length, runs));
    setActive(-1);
  };
  const accept = (option: string): void => {
    if (offer) {
      const rest = filter.text.slice(offer.end);
      const head = `${filter.text.slice(0, offer.start)}${option}${rest.startsWith(' ') ? '' : ' '}`;
      caret.current = { text: head + rest, at: head.length };
      onChange(head + rest);
      close();
    }
  };
  // With the text itself and not a frame later: what is typed meanwhile would stand in front of it.
  React.useLayoutEffect(() => {
    if (caret.current?.text === filter.text) {
      field()?.focus();
      field()?.setSelectionRange(caret.current.at, caret.current.at);
      caret.current = null;
    }
  });
  const onKey = (event: React.KeyboardEvent): void => {
    const chosen = offer?.options[active];
    if (offer && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      const count = offer.options.length;
      setActive((active + (event.key === 'ArrowDown' ? 1 : count + (active < 0 ? 0 : -1))) % count);
    } else if (chosen !== undefined && (event.key === 'Enter' || event.key === 'Tab')) {
      accept(chosen);
    } else if (offer && event.key === 'Escape') {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={box}
      className="jp-trackside-filter"
      onKeyDown={onKey}
      onBlur={event => !box.current?.contains(event.relatedTarget) && close()}
    >
      <InputGroup
        type="search"
        className="jp-trackside-filterBox"
        {...wording(filter.text, trans)}
        aria-label={trans.__('Filter runs')}
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={offer !== null}
        aria-controls={offer ? `${id}-options` : undefined}
        aria-activedescendant={active >= 0 ? optionId(id, active) : undefined}
        aria-invalid={filter.mistake !== null}
        aria-describedby={filter.mistake || suspects.length > 0 ? `${id}-said` : undefined}
        spellCheck={false}
        autoComplete="off"
        value={filter.text}
        rightIcon="ui-components:search"
        onChange={event => {
          caret.current = null;
          onChange(event.currentTarget.value);
          look();
        }}
        onClick={() => filter.text !== '' && look()}
      />
      {offer && <Options id={id} options={offer.options} active={active} accept={accept} trans={trans} />}
      <FilterWord id={`${id}-said`} filter={filter} suspects={suspects} trans={trans} />
    </div>
  );
}

/** What is written in an empty box fits into the narrowest sidebar; examples are told when pointing at it. */
function wording(text: string, trans: TranslationBundle): { placeholder: string; title: string } {
  const examples = trans.__('Such as: bert, config.lr < 0.1, status = failed, loss.last < 0.3');
  return { placeholder: trans.__('Filter…'), title: text === '' ? examples : '' };
}

const optionId = (box: string, index: number): string => `${box}-option-${index}`;

interface OptionsProps {
  id: string;
  options: readonly string[];
  active: number;
  accept: (option: string) => void;
  trans: TranslationBundle;
}

/** What may come next. */
function Options({ id, options, active, accept, trans }: OptionsProps): React.JSX.Element {
  return (
    <ul
      id={`${id}-options`}
      className="jp-trackside-options"
      role="listbox"
      aria-label={trans.__('What may come next')}
    >
      {options.map((text, index) => (
        <li
          key={text}
          id={optionId(id, index)}
          role="option"
          aria-selected={index === active}
          className={index === active ? 'jp-mod-active' : ''}
          onMouseDown={event => {
            event.preventDefault(); // the box keeps the focus
            accept(text);
          }}
        >
          {text}
        </li>
      ))}
    </ul>
  );
}

type FilterWordProps = Pick<FilterBoxProps, 'filter' | 'suspects' | 'trans'> & { id: string };

/** What is wrong with the filter, or may be. */
function FilterWord({ id, filter, suspects, trans }: FilterWordProps): React.JSX.Element | null {
  const { mistake, text } = filter;
  if (mistake) {
    return (
      <p id={id} className="jp-trackside-filterMistake" role="status">
        {mistake.end > mistake.start && <code>{text.slice(mistake.start, mistake.end)}</code>}{' '}
        {trans.__('at character %1: %2', mistake.start + 1, mistake.reason)}
        {mistake.remedy && (
          <>
            {' '}
            {trans.__('Try:')} <code>{mistake.remedy}</code>
          </>
        )}
        <Meanwhile inForce={filter.inForce} trans={trans} />
      </p>
    );
  }
  if (suspects.length > 0) {
    return (
      <p id={id} className="jp-trackside-filterMistake" role="status">
        {trans.__('No run has')} <code>{suspects.join(', ')}</code>.
      </p>
    );
  }
  return null;
}

/** Whose runs are listed while the filter makes no sense. */
function Meanwhile({ inForce, trans }: { inForce: string; trans: TranslationBundle }): React.JSX.Element {
  return (
    <span className="jp-trackside-meanwhile">
      {inForce === '' ? (
        trans.__('Until then all runs are listed.')
      ) : (
        <>
          {trans.__('Until then the runs are those of')} <code>{inForce}</code>
        </>
      )}
    </span>
  );
}
