/** React hooks over Lumino signals. */
import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, type DependencyList, type RefObject } from 'react';
import { useState } from 'react';

import type { Clock } from './model/clock';

/** Draws the component again whenever one of the signals is emitted. The signals must stay the same objects. */
export function useUpdatesOf(...signals: ISignal<unknown, unknown>[]): void {
  const [, update] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const slot = (): void => update();
    signals.forEach(signal => signal.connect(slot));
    update(); // something may have been emitted between drawing and connecting
    return () => signals.forEach(signal => signal.disconnect(slot));
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the list is a new array each time, its signals are not
  }, signals);
}

/** The time in seconds since the epoch, ticking while `active`. */
export function useNow(clock: Clock, active: boolean): number {
  const [now, setNow] = useState(clock.now);
  useEffect(() => {
    if (!active) {
      return;
    }
    const slot = (): void => setNow(clock.now);
    slot();
    clock.ticked.connect(slot);
    return () => {
      clock.ticked.disconnect(slot);
    };
  }, [clock, active]);
  return active ? Math.max(now, clock.now) : clock.now;
}

/** The height of an element in pixels, kept current. */
export function useHeight(ref: RefObject<HTMLElement>, deps: DependencyList): number {
  const [height, setHeight] = useState(0);
  useEffect(() => {
    const node = ref.current;
    if (!node) {
      return;
    }
    setHeight(node.clientHeight);
    const observer = new ResizeObserver(() => setHeight(node.clientHeight));
    observer.observe(node);
    return () => observer.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says when the element is another one
  }, deps);
  return height;
}
