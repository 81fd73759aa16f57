import { type Tensor, throwIfAborted } from '@mamba-ts/backend';
import type { Engine } from '../engine.js';
import { checkChunk, DEFAULT_CHUNK } from '../ids.js';
import type { MambaLM } from '../lm.js';
import { canSample, DeviceSource } from './device-source.js';
import { HostSource } from './host-source.js';
import { check, type GenerateOptions, resolveMaxTokens, resolveSampling, resolveStop } from './options.js';
import { encodePrompts, isBatch, type Prompt } from './prompts.js';
import { GenerationRows } from './rows.js';
import { type FinishReason, TextStream } from './text-stream.js';
import type { TokenSource } from './token-source.js';

/** One generated token. */
export interface Generated {
  /** Text that became certain with it: often the token's own; empty inside a character or a possible stop text. */
  readonly text: string;
  /** An EOS token is given too, as the last. */
  readonly token: number;
  /** Natural logarithm of its probability under the model, before temperature and filters. */
  readonly logprob: number;
  /** With several prompts: which one. */
  readonly row?: number;
  /** On a row's last item: an EOS token, a stop text, or `maxTokens`. */
  readonly finishReason?: FinishReason;
}

export async function* generate(
  engine: Engine,
  lm: MambaLM,
  prompt: Prompt | readonly Prompt[],
  options: GenerateOptions,
): AsyncGenerator<Generated, void, undefined> {
  engine.check('generate');
  const batch = isBatch(prompt);
  const sampling = resolveSampling(options);
  const maxTokens = resolveMaxTokens(options);
  const stops = resolveStop(options);
  const { signal, chunkSize = DEFAULT_CHUNK } = options;
  checkChunk('generate', chunkSize);
  const { config, tokenizer } = lm;
  const eos = resolveEos(options, lm);
  check('stop', 'given without one', stops.length === 0 || tokenizer !== undefined, 'used with a tokenizer');
  const atStart = (options.state?.position ?? 0) === 0;
  const prompts = encodePrompts(batch ? prompt : [prompt], config, tokenizer, atStart);
  const vocabulary = Math.min(config.vocabSize, tokenizer?.vocabSize ?? config.vocabSize);
  throwIfAborted(signal, 'generate');

  let active = prompts.map((ids, r) => ({
    row: r,
    text: tokenizer && new TextStream(tokenizer, stops, ids),
  }));
  options.state?.assertOf(lm, 'generate');
  const size = options.state?.batch ?? prompts.length;
  check('state', `one of ${size} rows`, size === prompts.length, `of ${prompts.length} rows, one a prompt`);
  const state = options.state ?? lm.createState(prompts.length);
  state.claim('generate');
  const rows = new GenerationRows(engine, lm, state);
  let logits: Tensor | undefined;
  let source: TokenSource | undefined;
  let failed = false;
  try {
    logits = await rows.prefill(prompts, chunkSize, signal);
    const { backend, dtype } = engine;
    if (canSample(backend, dtype, sampling)) {
      // A state of the caller's reads every token that is given out, the last one too, and none before.
      const [ahead, limit] = options.state ? [1, maxTokens] : [2, maxTokens - 1];
      const allowed = backend.deferred ? ahead : 0;
      source = new DeviceSource(backend, rows, logits, dtype, sampling, vocabulary, allowed, limit);
    } else {
      source = new HostSource(rows, logits, prompts, sampling, vocabulary, signal);
    }
    for (let count = 1; ; count++) {
      throwIfAborted(signal, 'generate');
      const choices = await source.next();
      const items = active.map(({ row, text }, i): Generated => {
        const choice = choices[i]!;
        const ended = eos.has(choice.token) ? 'eos' : count === maxTokens ? 'length' : undefined;
        const said = text?.push(choice.token, ended) ?? { text: '', stopped: false };
        const finishReason = said.stopped ? 'stop' : ended;
        return {
          ...choice,
          text: said.text,
          ...(batch ? { row } : {}),
          ...(finishReason ? { finishReason } : {}),
        };
      });
      yield* items;
      const staying = active.filter((_, i) => !items[i]!.finishReason);
      if (staying.length === 0) return;
      if (staying.length < active.length) source.keep(staying.map(({ row }) => row));
      active = staying;
    }
  } catch (error) {
    failed = (error as { code?: unknown }).code !== 'ABORTED';
    throw error;
  } finally {
    state.release();
    if (options.state && !failed) {
      source?.settle();
      rows.finish();
    }
    source?.dispose();
    logits?.dispose();
    rows.dispose();
    if (!options.state) state.dispose();
  }
}

function resolveEos({ eos }: GenerateOptions, { config, tokenizer }: MambaLM): ReadonlySet<number> {
  if (eos === undefined) return new Set([...config.eosTokenIds, ...(tokenizer?.eosTokenIds ?? [])]);
  const ids = eos === null ? [] : typeof eos === 'number' ? [eos] : eos;
  const good = Array.isArray(ids) && ids.every((id) => Number.isInteger(id) && id >= 0);
  check('eos', JSON.stringify(eos), good, 'a token id, a list of them, or null');
  return new Set(ids);
}
