import type { Reply, Request } from './protocol.js';

/** The worker, as the page sees it. */
export interface Engine {
  send(request: Request): void;
}

export function startEngine(onReply: (reply: Reply) => void): Engine {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Reply>) => onReply(data);
  worker.onerror = ({ message }) =>
    onReply({ type: 'failed', message: message || 'the worker did not start' });
  return { send: (request) => worker.postMessage(request) };
}
