/** Paints no faster than the page can: what comes in the meantime is painted together, as it is by then. */

/** After painting so much of the time that it took is left to what else the page has to do. */
const REST_SHARE = 0.5;
const LONGEST_REST_MS = 250;

export class Pace<Key> {
  /** `act` is called at most once a frame with each key that was wanted since. */
  constructor(private readonly act: (key: Key) => void) {}

  /**
   * Has the key painted with the next frame, or as soon as what is being painted is on the screen.
   *
   * Without that, messages that come faster than they are painted would queue up in the page, where the server
   * cannot see them, and what is shown would be older and older.
   */
  want(key: Key): void {
    this.wanted.add(key);
    if (!this.busy && !this.disposed) {
      this.busy = true;
      requestAnimationFrame(() => this.paint());
    }
  }

  dispose(): void {
    this.disposed = true;
    this.wanted.clear();
    window.clearTimeout(this.timer);
  }

  private paint(): void {
    const begun = performance.now();
    const keys = [...this.wanted];
    this.wanted.clear();
    keys.forEach(key => this.act(key));
    // What was changed now is painted in the next frame; when the one after it begins, it is on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => this.rest(performance.now() - begun)));
  }

  private rest(tookMs: number): void {
    if (this.disposed) {
      return;
    }
    this.timer = window.setTimeout(
      () => {
        this.busy = false;
        const [next] = this.wanted;
        if (next !== undefined) {
          this.want(next);
        }
      },
      Math.min(tookMs * REST_SHARE, LONGEST_REST_MS)
    );
  }

  private readonly wanted = new Set<Key>();
  private busy = false;
  private disposed = false;
  private timer = 0;
}
