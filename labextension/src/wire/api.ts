/** The REST side of the server extension. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { decodeWindow, type SeriesWindow } from './decode';
import { ApiError } from './errors';
import type {
  EditProblem,
  EncodedWindow,
  Info,
  JsonObject,
  Lease,
  LogName,
  LogPiece,
  Medium,
  MediumContent,
  Metric,
  MetricSummary,
  Offers,
  RecordedCell,
  ReportRequest,
  Run,
  RunEdit,
  RunEvent,
  SavedView,
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

  /** Changes runs; answers which could not be changed, and why. */
  async edit(edits: readonly RunEdit[]): Promise<EditProblem[]> {
    const body = JSON.stringify({ edits });
    return (await this.request<{ problems: EditProblem[] }>('runs', { method: 'PATCH', body })).problems;
  }

  /** Puts a run into the trash. */
  async delete(id: string): Promise<void> {
    await this.request(`runs/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /** Brings a run back from the trash. */
  async restore(id: string): Promise<void> {
    await this.request(`runs/${encodeURIComponent(id)}/restore`, { method: 'POST' });
  }

  async views(): Promise<SavedView[]> {
    return (await this.request<{ views: SavedView[] }>('views')).views;
  }

  saveView(id: string, name: string, state: JsonObject): Promise<SavedView> {
    const body = JSON.stringify({ name, state });
    return this.request(`views/${encodeURIComponent(id)}`, { method: 'PUT', body });
  }

  async deleteView(id: string): Promise<void> {
    await this.request(`views/${encodeURIComponent(id)}`, { method: 'DELETE' });
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

  async events(runs: readonly string[]): Promise<RunEvent[]> {
    return runs.length === 0
      ? []
      : (await this.request<{ events: RunEvent[] }>(ofRuns('events', runs))).events;
  }

  async summaries(runs: readonly string[]): Promise<MetricSummary[]> {
    return runs.length === 0
      ? []
      : (await this.request<{ summaries: MetricSummary[] }>(ofRuns('summaries', runs))).summaries;
  }

  async media(run: string): Promise<Medium[]> {
    return (await this.request<{ media: Medium[] }>(`runs/${encodeURIComponent(run)}/media`)).media;
  }

  /** A comparison as the text of a file; may take seconds. */
  report(request: ReportRequest): Promise<{ name: string; content: string }> {
    return this.request('report', { method: 'POST', body: JSON.stringify(request) });
  }

  medium(run: string, number: number): Promise<MediumContent> {
    return this.request(`runs/${encodeURIComponent(run)}/media/${number}`);
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

  /**
   * What the targets can give now, as far as they have answered.
   *
   * @param spec as `%gpu_provision` takes it; `null` for whatever there is.
   * @param known number of the answer before: this one comes when there is more.
   */
  offers(spec: string | null = null, known: number | null = null): Promise<Offers> {
    const query = [
      ...(spec === null ? [] : [`spec=${encodeURIComponent(spec)}`]),
      ...(known === null ? [] : [`known=${known}`])
    ];
    return this.request(query.length > 0 ? `offers?${query.join('&')}` : 'offers');
  }

  /** What a log of a leased machine has gained since `offset`; its end without one. Takes a moment. */
  log(lease: string, name: LogName, offset: number | null): Promise<LogPiece> {
    const from = offset === null ? '' : `&offset=${offset}`;
    return this.request(`leases/${encodeURIComponent(lease)}/log?name=${name}${from}`);
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

function ofRuns(path: string, runs: readonly string[]): string {
  return `${path}?runs=${runs.map(encodeURIComponent).join(',')}`;
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
