/** The REST side of the server extension. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { decodeWindow, type SeriesWindow } from './decode';
import { ApiError } from './errors';
import type {
  EncodedWindow,
  Info,
  Lease,
  Metric,
  Offers,
  RecordedCell,
  Run,
  SeriesRequest
} from './protocol';

/** Where all of Trackside lives on a Jupyter Server. */
export const API_PATH = 'trackside/api';

/** Requests to the server extension. Each may raise {@link ApiError} or `ServerConnection.NetworkError`. */
export class Api {
  constructor(readonly settings: ServerConnection.ISettings) {}

  info(): Promise<Info> {
    return this.request('info');
  }

  async runs(limit: number): Promise<Run[]> {
    return (await this.request<{ runs: Run[] }>(`runs?limit=${limit}`)).runs;
  }

  /** One run with all its facts. */
  run(id: string): Promise<Run> {
    return this.request(`runs/${encodeURIComponent(id)}`);
  }

  async outputs(id: string): Promise<RecordedCell[]> {
    return (await this.request<{ cells: RecordedCell[] }>(`runs/${encodeURIComponent(id)}/outputs`)).cells;
  }

  async metrics(runs: readonly string[]): Promise<Metric[]> {
    if (runs.length === 0) {
      return [];
    }
    const ids = runs.map(encodeURIComponent).join(',');
    return (await this.request<{ metrics: Metric[] }>(`metrics?runs=${ids}`)).metrics;
  }

  async windows(query: SeriesRequest): Promise<SeriesWindow[]> {
    const answer = await this.request<{ windows: EncodedWindow[] }>('windows', {
      method: 'POST',
      body: JSON.stringify(query)
    });
    return answer.windows.map(decodeWindow);
  }

  async leases(): Promise<Lease[]> {
    return (await this.request<{ leases: Lease[] }>('leases')).leases;
  }

  async release(lease: string): Promise<void> {
    await this.request(`leases/${encodeURIComponent(lease)}`, { method: 'DELETE' });
  }

  /** Asks every target what can be had now; may take seconds. */
  offers(): Promise<Offers> {
    return this.request('offers');
  }

  private async request<T>(path: string, init: RequestInit = {}): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, API_PATH) + `/${path}`;
    const response = await ServerConnection.makeRequest(url, init, this.settings);
    if (!response.ok) {
      throw await errorOf(response);
    }
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { message?: string; remedy?: string | null };
    return new ApiError(response.status, body.message ?? response.statusText, body.remedy ?? null);
  } catch {
    return new ApiError(
      response.status,
      `The server answered ${response.status} ${response.statusText}.`,
      null
    );
  }
}
