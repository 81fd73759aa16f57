import { MambaError } from '@mamba-ts/backend';
import { type OpenSourceOptions, openSource, type Source, type SourceLike } from '@mamba-ts/checkpoint';
import { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type Tokenizer } from './tokenizer.js';

const MAX_BYTES = 256 << 20;

/**
 * Loads `tokenizer.json` (and `tokenizer_config.json`, if there) from where a checkpoint could be: a folder, an address,
 * files, a Hugging Face id such as `EleutherAI/gpt-neox-20b`.
 * @throws MambaError `IO`, `CHECKPOINT_FORMAT`, `ABORTED`
 */
export async function loadTokenizer(
  from: SourceLike,
  options: OpenSourceOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<Tokenizer> {
  const { signal, ...sourceOptions } = options;
  return readTokenizer(await openSource(from, sourceOptions), signal);
}

export async function readTokenizer(source: Source, signal: AbortSignal | undefined): Promise<Tokenizer> {
  const json = await readText(source, TOKENIZER_FILE, signal);
  const config = (await source.has(TOKENIZER_CONFIG_FILE, signal))
    ? await readText(source, TOKENIZER_CONFIG_FILE, signal)
    : '{}';
  // Loaded only where a model needs it: byte models do without.
  const { JsonTokenizer } = await import('./json.js');
  return JsonTokenizer.create(json, config);
}

async function readText(source: Source, path: string, signal: AbortSignal | undefined): Promise<string> {
  const size = await source.size(path, signal);
  if (size > MAX_BYTES) {
    throw new MambaError('CHECKPOINT_FORMAT', `${path}: ${size} bytes; at most ${MAX_BYTES} are read`);
  }
  return new TextDecoder().decode(await source.read(path, { start: 0, end: size }, signal));
}
