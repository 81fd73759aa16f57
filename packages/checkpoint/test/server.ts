import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

/** What the server does wrong, or does not do. */
export interface Behaviour {
  /** Ignore Range. */
  ignoreRange?: boolean;
  /** Send no Content-Length. */
  unsized?: boolean;
  /** Answer so instead, where it returns a number. */
  status?: (path: string, count: number) => number | undefined;
  /** Cut the connection after so many bytes of a body, where it returns a number. */
  cut?: (count: number) => number | undefined;
  /** Bytes between pauses of 5 ms. */
  slow?: number;
  /** Send no Content-Range (as a page sees it that may not). */
  hideContentRange?: boolean;
  /** Give this as the size in Content-Range. */
  claimedSize?: number;
  /** Send the range that begins so many bytes later. */
  shift?: number;
  gzip?: boolean;
  redirect?: string;
}

export interface Seen {
  method: string;
  url: string;
  range: string | undefined;
  authorization: string | undefined;
  /** Bytes of the body that were sent. */
  sent: number;
}

export interface TestServer {
  url: string;
  files: Map<string, Uint8Array>;
  etag: string | undefined;
  behaviour: Behaviour;
  seen: Seen[];
  close(): Promise<void>;
}

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A web server on 127.0.0.1; it is gone after the test. */
export async function serve(
  files: Record<string, Uint8Array>,
  behaviour: Behaviour = {},
): Promise<TestServer> {
  const http = createServer((request, response) => {
    answer(server, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server: TestServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    files: new Map(Object.entries(files)),
    etag: '"v1"',
    behaviour,
    seen: [],
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  servers.push(server);
  return server;
}

async function answer(server: TestServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { behaviour, seen } = server;
  const { method = '', url = '', headers } = request;
  const note: Seen = { method, url, range: headers.range, authorization: headers.authorization, sent: 0 };
  seen.push(note);
  const path = decodeURIComponent(url.replace(/\?.*/, '').slice(1));
  const count = seen.length;

  if (behaviour.redirect) {
    response.writeHead(302, { location: behaviour.redirect + url }).end();
    return;
  }
  const status = behaviour.status?.(path, count);
  const file = server.files.get(path);
  if (status !== undefined || !file) {
    response.writeHead(status ?? 404).end('an error page');
    return;
  }
  let [start, end] = [0, file.length];
  const match = behaviour.ignoreRange ? null : /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
  if (server.etag !== undefined) response.setHeader('etag', server.etag);
  if (match) {
    [start, end] = [Number(match[1]), Math.min(file.length, Number(match[2]) + 1)];
    const size = behaviour.claimedSize ?? file.length;
    if (start >= file.length) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    start += behaviour.shift ?? 0;
    if (!behaviour.hideContentRange) response.setHeader('content-range', `bytes ${start}-${end - 1}/${size}`);
    response.statusCode = 206;
  }
  let body = file.subarray(start, end);
  if (behaviour.gzip) {
    body = (await import('node:zlib')).gzipSync(body);
    response.setHeader('content-encoding', 'gzip');
  }
  if (!behaviour.unsized) response.setHeader('content-length', body.length);
  if (method === 'HEAD') {
    response.end();
    return;
  }
  const stop = behaviour.cut?.(count) ?? body.length;
  const step = behaviour.slow ?? 1 << 16;
  for (let at = 0; at < Math.min(stop, body.length); at += step) {
    const piece = body.subarray(at, Math.min(stop, at + step));
    if (response.destroyed) return;
    await new Promise((resolve) => response.write(piece, resolve));
    note.sent += piece.length;
    if (behaviour.slow) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (stop < body.length) response.destroy();
  else response.end();
}
