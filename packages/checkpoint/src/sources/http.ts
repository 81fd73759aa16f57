import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import { abortable } from '../abort.js';
import { gather } from '../gather.js';
import { Locks } from '../locks.js';
import { type ByteRange, checkPath, checkRange, missing, type Source } from '../source.js';

export interface HttpOptions {
  /** Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** How often a failed request (network, 429, 5xx, a body cut short) is tried again, from where it stopped. Default 3. */
  retries?: number | undefined;
  /** Bytes fetched for a smaller read, and kept for the next. Default 512 KiB: most headers in one request. */
  readAhead?: number | undefined;
  /** Whether a browser's own HTTP cache may answer and keep. Default: `default`. */
  requestCache?: 'default' | 'no-store' | undefined;
}

/** Which version of a file a server has. */
export interface FileIdentity {
  readonly size: number;
  /** ETag, or Last-Modified; empty where the server (or CORS) shows neither. */
  readonly version: string;
  /** Whether the server honours Range. */
  readonly ranges: boolean;
}

/** What is known of one file. */
interface FileState {
  identity?: FileIdentity;
  /** The last small piece that was fetched. */
  ahead?: { start: number; bytes: Uint8Array };
  /** All of it, where the server does not honour Range. */
  whole?: Uint8Array;
}

/** A body without a length is read up to here. */
const MAX_UNSIZED_BYTES = 2 ** 31;

function parseAddress(address: string | URL): URL {
  let url: URL | undefined;
  try {
    url = new URL(address);
    decodeURIComponent(url.pathname);
  } catch {
    url = undefined;
  }
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new MambaError('INVALID_ARGUMENT', `${JSON.stringify(String(address))} is not an http(s) address`);
}

const transient = (error: unknown) => error instanceof MambaError && error.details.transient === true;

/**
 * Files under an address, read with Range requests. A server that ignores Range is read once, into memory. Every answer
 * is checked to be of the same version of the file.
 */
export class HttpSource implements Source {
  readonly name: string;
  readonly entry?: string;
  readonly #base: URL;
  readonly #fetch: typeof fetch;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #retries: number;
  readonly #readAhead: number;
  readonly #requestCache: 'default' | 'no-store';
  readonly #files = new Map<string, FileState>();
  readonly #locks = new Locks();

  /**
   * @param address of a folder, or of a file in it (its last part has a dot); a query goes with every request
   * @param name for messages; default: the address
   */
  constructor(address: string | URL, options: HttpOptions = {}, name?: string) {
    const url = parseAddress(address);
    const last = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
    const isFile = /\.(safetensors|json)$/.test(last);
    if (!isFile && last !== '') url.pathname += '/';
    url.hash = '';
    this.#base = url;
    if (isFile) this.entry = decodeURIComponent(last);
    this.name = name ?? `${url.origin}${url.pathname}`;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#headers = options.headers ?? {};
    this.#retries = options.retries ?? 3;
    this.#readAhead = options.readAhead ?? 512 << 10;
    this.#requestCache = options.requestCache ?? 'default';
  }

  /** The address of a file. */
  url(path: string): string {
    checkPath(path, this.name);
    const url = new URL(path.split('/').map(encodeURIComponent).join('/'), this.#base);
    url.search = this.#base.search;
    return url.href;
  }

  async size(path: string, signal?: AbortSignal): Promise<number> {
    return (await this.identity(path, signal)).size;
  }

  async has(path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.identity(path, signal);
      return true;
    } catch (error) {
      const status = error instanceof MambaError && error.details.status;
      if (status === 404 || status === 410) return false;
      throw error;
    }
  }

  /** Size and version, asked once. */
  async identity(path: string, signal?: AbortSignal): Promise<FileIdentity> {
    throwIfAborted(signal, this.#reading(path));
    const known = this.#state(path).identity;
    if (known) return known;
    return this.#locks.run(path, signal, this.#reading(path), async () => {
      const state = this.#state(path);
      state.identity ??= await this.#retrying(signal, path, () => this.#probe(path, state, signal));
      return state.identity;
    });
  }

  async read(
    path: string,
    range?: ByteRange,
    signal?: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<Uint8Array> {
    const { size, ranges } = await this.identity(path, signal);
    const asked = checkRange(this.#shown(path), size, range);
    if (ranges && asked.end - asked.start >= this.#readAhead)
      return this.#collect(path, asked, signal, onBytes);

    // One at a time: whoever waited finds what it needs in memory.
    return this.#locks.run(path, signal, this.#reading(path), async () => {
      const state = this.#state(path);
      if (!ranges) {
        const bytes = (await this.#whole(path, state, signal)).subarray(asked.start, asked.end);
        onBytes?.(bytes.length);
        return bytes;
      }
      const { ahead } = state;
      if (!ahead || asked.start < ahead.start || asked.end > ahead.start + ahead.bytes.length) {
        const wanted = { start: asked.start, end: Math.min(size, asked.start + this.#readAhead) };
        state.ahead = { start: asked.start, bytes: await this.#collect(path, wanted, signal) };
      }
      const { start, bytes } = state.ahead as { start: number; bytes: Uint8Array };
      onBytes?.(asked.end - asked.start);
      return bytes.slice(asked.start - start, asked.end - start);
    });
  }

  /** The bytes of a range as they arrive. A request that fails is taken up where it stopped. */
  async *stream(
    path: string,
    range: ByteRange,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const { size, ranges } = await this.identity(path, signal);
    const { start, end } = checkRange(this.#shown(path), size, range);
    if (!ranges) {
      yield await this.read(path, range, signal);
      return;
    }
    let failures = 0;
    for (let at = start; at < end; ) {
      try {
        for await (const piece of this.#body(path, at, end, signal)) {
          at += piece.length;
          yield piece;
        }
      } catch (error) {
        if (!transient(error) || failures >= this.#retries) throw error;
        await this.#pause(failures++, path, signal);
      }
    }
  }

  #state(path: string): FileState {
    const state = this.#files.get(path) ?? {};
    this.#files.set(path, state);
    return state;
  }

  /** An address without its query, which may hold a key. */
  #shown(path: string): string {
    return this.url(path).replace(/\?.*/, '');
  }

  #reading(path: string): string {
    return `reading ${this.#shown(path)}`;
  }

  #pause(failures: number, path: string, signal?: AbortSignal): Promise<void> {
    const pause = new Promise<void>((resolve) => setTimeout(resolve, 250 * 2 ** failures));
    return abortable(pause, signal, this.#reading(path));
  }

  async #retrying<T>(signal: AbortSignal | undefined, path: string, body: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await body();
      } catch (error) {
        if (!transient(error) || failures >= this.#retries) throw error;
        await this.#pause(failures, path, signal);
      }
    }
  }

  /** Without a status: the connection's failure. That, 429 and 5xx may pass; the rest stays as it is. */
  #failure(
    path: string,
    problem: string,
    { status, cause }: { status?: number; cause?: unknown } = {},
  ): MambaError {
    const where = this.#shown(path);
    const mayPass = status === undefined || status === 429 || status >= 500;
    return new MambaError('IO', `${where}: ${problem}`, {
      cause,
      details: { path: where, status, transient: mayPass },
    });
  }

  /** One request; throws unless the answer is 200, 206 or 416. */
  async #request(
    path: string,
    method: string,
    range: string | undefined,
    signal?: AbortSignal,
  ): Promise<Response> {
    throwIfAborted(signal, this.#reading(path));
    const headers = { ...this.#headers, ...(range !== undefined && { Range: range }) };
    const sent = this.#fetch(this.url(path), {
      method,
      headers,
      signal: signal ?? null,
      cache: this.#requestCache,
    });
    let response: Response;
    try {
      response = await abortable(sent, signal, this.#reading(path));
    } catch (cause) {
      throwIfAborted(signal, this.#reading(path));
      const reason =
        cause instanceof Error
          ? ((cause.cause as Error | undefined)?.message ?? cause.message)
          : String(cause);
      throw this.#failure(path, `the request failed: ${reason}`, { cause });
    }
    const { status } = response;
    if (status === 200 || status === 206 || status === 416) return response;
    response.body?.cancel().catch(() => {});
    if (status === 404 || status === 410)
      throw missing(this.#shown(path), { path: this.#shown(path), status });
    if (status === 401 || status === 403) {
      throw this.#failure(path, `refused (HTTP ${status}): it does not exist, or needs a token`, { status });
    }
    throw this.#failure(path, `the server answered HTTP ${status}`, { status });
  }

  /** A body's pieces as they arrive. */
  async *#pieces(
    response: Response,
    path: string,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const reader = response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await abortable(reader.read(), signal, this.#reading(path));
        if (done) return;
        yield value;
      }
    } catch (cause) {
      throwIfAborted(signal, this.#reading(path));
      throw this.#failure(path, 'the connection broke', { cause });
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  #identityOf(response: Response, size: number, ranges: boolean): FileIdentity {
    const { headers } = response;
    const version = headers.get('etag') ?? headers.get('last-modified') ?? '';
    // A server may call one ETag weak in one answer (compressed, say) and strong in the next.
    return { size, version: version.replace(/^W\//, ''), ranges };
  }

  /** Asks for the beginning of a file, to learn its size and version. Small files come whole that way. */
  async #probe(path: string, state: FileState, signal?: AbortSignal): Promise<FileIdentity> {
    const response = await this.#request(path, 'GET', `bytes=0-${Math.max(1, this.#readAhead) - 1}`, signal);
    const { status, headers } = response;
    if (status === 200) {
      // The length is of the encoded body; only that of an unencoded one says how large the file is.
      const length = headers.get('content-encoding') ? null : headers.get('content-length');
      if (length !== null && Number(length) > this.#readAhead) {
        response.body?.cancel().catch(() => {});
        return this.#identityOf(response, Number(length), false);
      }
      state.whole = await this.#drain(response, path, length === null ? undefined : Number(length), signal);
      return this.#identityOf(response, state.whole.length, false);
    }
    const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
    if (status === 416) {
      // No byte 0: the file is empty.
      response.body?.cancel().catch(() => {});
      if (total !== undefined && total !== '0')
        throw this.#failure(path, 'refused the range from byte 0', { status });
      state.ahead = { start: 0, bytes: new Uint8Array(0) };
      return this.#identityOf(response, 0, true);
    }
    const size = total === undefined ? await this.#sizeByHead(path, signal) : Number(total);
    if (!Number.isSafeInteger(size))
      throw this.#failure(path, `the server gives the size ${total}`, { status });
    const bytes = await this.#drain(response, path, Math.min(size, Math.max(1, this.#readAhead)), signal);
    state.ahead = { start: 0, bytes };
    return this.#identityOf(response, size, true);
  }

  /** For a server of another origin that does not let pages see Content-Range. */
  async #sizeByHead(path: string, signal?: AbortSignal): Promise<number> {
    const { headers, status } = await this.#request(path, 'HEAD', undefined, signal);
    const length = headers.get('content-length');
    if (length === null)
      throw this.#failure(path, 'the server does not say how large the file is', { status });
    return Number(length);
  }

  /** All of a file, for a server that does not honour Range. */
  async #whole(path: string, state: FileState, signal?: AbortSignal): Promise<Uint8Array> {
    state.whole ??= await this.#retrying(signal, path, async () => {
      const response = await this.#request(path, 'GET', undefined, signal);
      this.#checkVersion(path, response, state.identity?.size);
      return this.#drain(response, path, state.identity?.size, signal);
    });
    return state.whole;
  }

  /** A whole body; `expected` bytes where the length is known. */
  async #drain(
    response: Response,
    path: string,
    expected: number | undefined,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const limit = expected ?? MAX_UNSIZED_BYTES;
    const bytes = await gather(this.#pieces(response, path, signal), limit, this.#shown(path));
    if (bytes === undefined) {
      throw expected === undefined
        ? this.#failure(
            path,
            `the server does not say how large the file is, and it is over ${limit} bytes`,
            { status: 200 },
          )
        : this.#failure(path, `the server sent more than the ${expected} bytes it promised`, { status: 200 });
    }
    if (expected !== undefined && bytes.length < expected) {
      throw this.#failure(path, `the server sent ${bytes.length} of ${expected} bytes`);
    }
    return bytes;
  }

  async #collect(
    path: string,
    range: ByteRange,
    signal?: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<Uint8Array> {
    const bytes = await gather(
      this.stream(path, range, signal),
      range.end - range.start,
      this.#shown(path),
      onBytes,
    );
    return bytes as Uint8Array;
  }

  /** One ranged request's bytes; throws a transient error where they end before `end`. */
  async *#body(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const response = await this.#request(path, 'GET', `bytes=${start}-${end - 1}`, signal);
    const [, from, total] =
      /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    try {
      if (response.status !== 206 || (from !== undefined && Number(from) !== start)) {
        throw this.#failure(path, `the server did not answer with the bytes from ${start} on`, {
          status: response.status,
        });
      }
      this.#checkVersion(path, response, total === undefined ? undefined : Number(total));
    } catch (error) {
      response.body?.cancel().catch(() => {});
      throw error;
    }
    let at = start;
    for await (const piece of this.#pieces(response, path, signal)) {
      const wanted = piece.length > end - at ? piece.subarray(0, end - at) : piece;
      at += wanted.length;
      if (wanted.length > 0) yield wanted;
      if (at === end) return;
    }
    throw this.#failure(path, `the answer ended at byte ${at} of ${end}`);
  }

  /** Bytes of two versions of a file must not be mixed. */
  #checkVersion(path: string, response: Response, size: number | undefined): void {
    const known = this.#state(path).identity;
    if (!known) return;
    const now = this.#identityOf(response, size ?? known.size, true);
    if (now.version !== known.version || now.size !== known.size) {
      throw this.#failure(path, 'the file changed on the server while it was read; open it again', {
        status: 200,
      });
    }
  }
}
