import { inNode } from './module.js';

/** One worker, in Node or in a page. */
export interface WorkerHandle {
  terminate(): Promise<void>;
}

/**
 * A worker's whole program: take the module and the memory, then serve until told to quit. As text, because a worker
 * script must load from everywhere this package does: TypeScript sources under a test runner, a bundle, a page that
 * imported the package from another origin.
 */
const PROGRAM = `
const serve = (send, { module, memory, thread }) => {
  try {
    const { serve } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    send('ready');
    serve(thread);
  } catch (error) {
    send(String(error));
  }
};
`;
const IN_NODE = `${PROGRAM}
const { parentPort, workerData } = require('node:worker_threads');
serve((message) => parentPort.postMessage(message), workerData);
`;
const IN_PAGE = `${PROGRAM}
onmessage = ({ data }) => serve(postMessage, data);
`;

export interface WorkerOptions {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** From 1: 0 is the thread that starts it. */
  readonly thread: number;
  /** Called when it ends before `terminate`. */
  readonly onLost: (reason: string) => void;
}

/** Starts a worker; rejects if it does not come up. */
export async function startWorker(options: WorkerOptions): Promise<WorkerHandle> {
  return inNode() ? startInNode(options) : startInPage(options);
}

async function startInNode({ module, memory, thread, onLost }: WorkerOptions): Promise<WorkerHandle> {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(IN_NODE, {
    eval: true,
    name: `mamba-ts ${thread}`,
    workerData: { module, memory, thread },
    // A parent's flags (a loader, say) are not for this script.
    execArgv: [],
  });
  let ended = false;
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message) => {
      if (message === 'ready') resolve();
      else onLost(message);
    });
    worker.on('error', (error) => {
      reject(error);
      onLost(String(error));
    });
    worker.on('exit', (code) => {
      reject(new Error(`exit code ${code}`));
      if (!ended) onLost(`it ended with code ${code}`);
    });
  });
  // Idle workers must not keep a program alive.
  worker.unref();
  return {
    async terminate() {
      ended = true;
      await worker.terminate();
    },
  };
}

async function startInPage({ module, memory, thread, onLost }: WorkerOptions): Promise<WorkerHandle> {
  const url = URL.createObjectURL(new Blob([IN_PAGE], { type: 'text/javascript' }));
  try {
    const worker = new Worker(url, { name: `mamba-ts ${thread}` });
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data === 'ready') resolve();
        else onLost(data);
      };
      worker.onerror = (event) => {
        const reason = event.message ?? 'a policy of the page (worker-src blob:)';
        reject(new Error(reason));
        onLost(reason);
      };
      worker.postMessage({ module, memory, thread });
    });
    return {
      async terminate() {
        worker.terminate();
      },
    };
  } finally {
    URL.revokeObjectURL(url);
  }
}
