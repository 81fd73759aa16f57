import { type Backend, type BackendName, createBackend, MambaLM, type MambaState } from 'mamba-ts';
import config from 'mamba-ts/models/tiny-shakespeare/config.json?raw';
import weights from 'mamba-ts/models/tiny-shakespeare/model.safetensors?url';
import { modelFacts } from './facts.js';
import { fetchBytes } from './fetch-bytes.js';
import { Needle } from './needle.js';
import type { BranchId, Reply, Request, WriteOptions } from './protocol.js';

/*
 * The backend, the model and a state for each branch, off the page's thread: the page stays smooth whatever is computed,
 * and the wasm backend may wait for its threads, which a page's own thread may not.
 */

/** At most so often a piece of text is sent: more than a screen shows helps nobody. */
const INTERVAL_MS = 30;

/** What a text begins with that has no beginning: a line break. */
const NEW_PAGE = '\n';

const send = (reply: Reply) => postMessage(reply);

/** One text: what its state has read, and its last token, which it has not: from that it goes on. */
interface Branch {
  state: MambaState;
  unread: readonly number[];
}

let backend: Backend | undefined;
let lm: MambaLM | undefined;
let needle: Needle | undefined;
let branches = new Map<BranchId, Branch>();
let stopped = false;
let fetched: Promise<Uint8Array> | undefined;

/** A state is a value: what one backend has read, another goes on from. */
async function open(name: BackendName): Promise<void> {
  fetched ??= fetchBytes(weights);
  fetched.catch(() => {
    fetched = undefined;
  });
  const next = await createBackend(name);
  try {
    const files = { 'config.json': new TextEncoder().encode(config), 'model.safetensors': await fetched };
    const model = await MambaLM.fromPretrained(files, { backend: next });
    const moved = new Map<BranchId, Branch>();
    for (const [id, { state, unread }] of branches) {
      moved.set(id, { state: await model.restoreState(await state.save()), unread });
    }
    const facts = await modelFacts(model);
    await backend?.dispose();
    [backend, lm, needle, branches] = [next, model, undefined, moved];
    send({ type: 'opened', backend: name, description: next.description, facts });
  } catch (error) {
    await next.dispose();
    throw error;
  }
}

async function write(id: BranchId, { prompt, ...sampling }: WriteOptions): Promise<void> {
  const model = lm!;
  let branch = branches.get(id) ?? { state: model.createState(), unread: [] };
  branches.set(id, branch);
  const { state, unread } = branch;
  const ids = [...unread, ...model.tokenizer!.encode(prompt)];
  let text = '';
  let tokens = 0;
  let first = 0;
  let sent = performance.now();
  const report = (done: boolean) => {
    const now = performance.now();
    send({
      type: 'progress',
      branch: id,
      text,
      tokens,
      // The first token also pays for the prompt: the rate is that of the tokens after it.
      tokensPerSecond: tokens > 1 ? ((tokens - 1) * 1e3) / (now - first) : 0,
      position: branch.state.position + branch.unread.length,
      stateBytes: branch.state.bytes,
      done,
    });
    text = '';
    sent = now;
  };
  try {
    for await (const piece of model.generate(ids.length > 0 ? ids : NEW_PAGE, { ...sampling, state })) {
      text += piece.text;
      if (++tokens === 1) first = performance.now();
      if (piece.finishReason || stopped) {
        // Now the state has read all but this token; after the loop it would have read it too.
        branch = { state: state.fork(), unread: [piece.token] };
        branches.set(id, branch);
        break;
      }
      if (performance.now() - sent > INTERVAL_MS) report(false);
    }
  } finally {
    if (branch.state !== state) state.dispose();
    report(true);
  }
}

async function ask(length: number, seed: number): Promise<void> {
  needle ??= await Needle.load(backend!);
  let sent = performance.now();
  const answer = await needle.ask(length, seed, (read) => {
    if (performance.now() - sent > INTERVAL_MS) {
      send({ type: 'reading', read, length });
      sent = performance.now();
    }
    return !stopped;
  });
  send({ type: 'answered', answer });
}

function fork(from: BranchId, to: BranchId): void {
  const branch = branches.get(from);
  if (branch) branches.set(to, { ...branch, state: branch.state.fork() });
}

function drop(id: BranchId): void {
  branches.get(id)?.state.dispose();
  branches.delete(id);
}

async function answer(request: Request): Promise<void> {
  switch (request.type) {
    case 'open':
      return open(request.backend);
    case 'write':
      stopped = false;
      return write(request.branch, request.options);
    case 'fork':
      return fork(request.from, request.to);
    case 'drop':
      return drop(request.branch);
    case 'ask':
      stopped = false;
      return ask(request.length, request.seed);
    case 'stop':
      return;
  }
}

let queue = Promise.resolve();
addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.type === 'stop') stopped = true;
  queue = queue
    .then(() => answer(data))
    .catch((error: unknown) =>
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
});
