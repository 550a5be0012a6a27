/** Something that must succeed in the end, such as reading a list: tried again after a failure, later and later. */
import { backoffMs } from './backoff';
import { describeError, mayPass } from './errors';

export class Persistent {
  /**
   * @param attempt what must succeed.
   * @param report told the problem after a failure, `null` after a success.
   */
  constructor(
    private readonly attempt: () => Promise<void>,
    private readonly report: (problem: string | null) => void
  ) {}

  /** Tries now, unless a failure is being waited out. While an attempt is under way, another follows it. */
  start(): void {
    if (this.timer === null) {
      this.wanted = true;
      void this.run();
    }
  }

  /** Tries now: what was in the way may be gone. */
  restart(): void {
    this.cancelWait();
    this.start();
  }

  /** Nobody needs it any more; `start` begins anew. */
  stop(): void {
    this.cancelWait();
    this.wanted = false;
    this.failures = 0;
  }

  private async run(): Promise<void> {
    if (this.running) {
      return;
    }
    this.running = true;
    while (this.wanted) {
      this.wanted = false;
      try {
        await this.attempt();
        this.failures = 0;
        this.report(null);
      } catch (error) {
        this.failed(error);
      }
    }
    this.running = false;
  }

  private failed(error: unknown): void {
    this.report(describeError(error));
    this.cancelWait();
    this.wanted = false;
    if (mayPass(error)) {
      this.timer = setTimeout(() => this.restart(), backoffMs(this.failures, Math.random()));
      this.failures += 1;
    }
  }

  private cancelWait(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
  }

  private running = false;
  private wanted = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
}
