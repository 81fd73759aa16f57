import { audit, type Report } from '@mamba-ts/conformance/without-vitest';
import { createCpuBackend } from '@mamba-ts/cpu';
import { createWasmBackend } from '../../src/index.js';

declare global {
  interface Window {
    describeBackend(options: { threads?: number }): Promise<{ description: string; warnings: string[] }>;
    conform(options: { threads: number; relaxed?: boolean }): Promise<Report>;
    workInWorker(): Promise<WorkerReport>;
  }
}

export interface WorkerReport {
  readonly description: string;
  /** How often the page's own thread came by while the worker computed, and the longest that it was held up, in ms. */
  readonly turns: number;
  readonly longest: number;
  readonly milliseconds: number;
}

window.describeBackend = async (options) => {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => warnings.push(message);
  try {
    for (let i = 0; i < 2; i++) await (await createWasmBackend(options)).dispose();
    const backend = await createWasmBackend(options);
    await backend.dispose();
    return { description: backend.description, warnings };
  } finally {
    console.warn = warn;
  }
};

window.conform = (options) =>
  audit({
    name: 'wasm in a page',
    createBackend: () => createWasmBackend(options),
    createOracle: createCpuBackend,
    runs: 3,
  });

/** The backend inside a Worker, as the README says: the page stays alive while it computes. */
window.workInWorker = async () => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const start = performance.now();
  let [turns, longest, last, done] = [0, 0, start, false];
  const watch = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    turns++;
    if (!done) setTimeout(watch);
  };
  setTimeout(watch);
  const description = await new Promise<string>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  done = true;
  worker.terminate();
  return { description, turns, longest, milliseconds: performance.now() - start };
};
