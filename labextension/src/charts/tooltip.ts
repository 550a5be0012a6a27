/** What the pointer reads, beside the pointer. All text is set as text: names of runs are anything. */
import type { LineStyle } from '../model/palette';
import type { Reading } from './readout';

/** Rows shown; more would cover the chart. */
const MOST = 12;

export interface TooltipRow extends Reading {
  name: string;
  style: LineStyle;
}

/** What happened where the pointer is. */
export interface TooltipNote {
  text: string;
  name: string;
  style: LineStyle;
}

export interface TooltipContent {
  title: string;
  rows: readonly TooltipRow[];
  notes: readonly TooltipNote[];
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** Gives a key the look of its line. */
export function setKey(key: HTMLElement, style: LineStyle): void {
  key.style.borderTopColor = style.colour;
  key.style.borderTopStyle = style.dash;
}

function keyNode(style: LineStyle): HTMLElement {
  const key = element('span', 'jp-trackside-tipKey');
  setKey(key, style);
  return key;
}

function noteNode({ text, name, style }: TooltipNote): HTMLElement {
  const node = element('div', 'jp-trackside-tipRow jp-trackside-tipNote');
  const words = element('span', 'jp-trackside-tipBehind', `${text} · ${name}`);
  node.append(keyNode(style), words);
  return node;
}

function rowNode(row: TooltipRow): HTMLElement {
  const node = element('div', 'jp-trackside-tipRow');
  node.dataset['run'] = row.run;
  node.append(
    keyNode(row.style),
    element('span', 'jp-trackside-tipName', row.name),
    element('b', '', row.text)
  );
  if (row.behind) {
    node.append(element('span', 'jp-trackside-tipBehind', row.behind));
  }
  return node;
}

export class Tooltip {
  constructor(private readonly host: HTMLElement) {
    this.node.setAttribute('role', 'status');
    this.node.hidden = true;
    host.append(this.node);
  }

  /**
   * @param left where the pointer is, in pixels from the host's left edge.
   * @param more the words for rows that are left out ("and 3 more").
   */
  show({ title, rows, notes }: TooltipContent, left: number, more: (count: number) => string): void {
    const heading = element('div', 'jp-trackside-tipTitle', title);
    const children = [heading, ...notes.slice(0, MOST).map(noteNode), ...rows.slice(0, MOST).map(rowNode)];
    if (rows.length > MOST) {
      children.push(element('div', 'jp-trackside-tipBehind', more(rows.length - MOST)));
    }
    this.node.replaceChildren(...children);
    this.node.hidden = rows.length + notes.length === 0;
    // Towards the middle of the page, where there is room; it may lie over the neighbouring chart.
    const onRight = this.host.getBoundingClientRect().left + left < window.innerWidth * 0.62;
    this.node.style.left = onRight ? `${left + 14}px` : '';
    this.node.style.right = onRight ? '' : `${this.host.clientWidth - left + 14}px`;
  }

  hide(): void {
    this.node.hidden = true;
  }

  private readonly node = element('div', 'jp-trackside-tip');
}
