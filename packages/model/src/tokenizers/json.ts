import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { MambaError } from '@mamba-ts/backend';
import { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type Tokenizer } from './tokenizer.js';

/** Any tokenizer that a `tokenizer.json` describes, run by @huggingface/tokenizers. */
export class JsonTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly eosTokenIds: readonly number[];
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #files: ReadonlyMap<string, string>;

  private constructor(
    tokenizer: HuggingFaceTokenizer,
    eosTokenIds: readonly number[],
    files: ReadonlyMap<string, string>,
  ) {
    this.#tokenizer = tokenizer;
    this.#files = files;
    this.eosTokenIds = eosTokenIds;
    let largest = -1;
    for (const id of tokenizer.get_vocab().values()) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
  }

  /** From the text of the two files. @throws MambaError `CHECKPOINT_FORMAT` */
  static create(json: string, config: string): JsonTokenizer {
    const settings = parse(config, TOKENIZER_CONFIG_FILE);
    let tokenizer: HuggingFaceTokenizer;
    try {
      tokenizer = new HuggingFaceTokenizer(parse(json, TOKENIZER_FILE), settings);
    } catch (cause) {
      if (cause instanceof MambaError) throw cause;
      throw new MambaError('CHECKPOINT_FORMAT', `${TOKENIZER_FILE}: ${(cause as Error).message}`, { cause });
    }
    // A string, or an added token as an object.
    const eos = settings['eos_token'] as { content?: unknown } | string | null | undefined;
    const text = typeof eos === 'object' ? eos?.content : eos;
    const id = typeof text === 'string' ? tokenizer.token_to_id(text) : undefined;
    const files = new Map([
      [TOKENIZER_FILE, json],
      [TOKENIZER_CONFIG_FILE, config],
    ]);
    return new JsonTokenizer(tokenizer, id === undefined ? [] : [id], files);
  }

  encode(text: string, { special = true }: { special?: boolean } = {}): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: special }).ids;
  }

  decode(ids: readonly number[]): string {
    if (ids.length === 0) return '';
    return this.#tokenizer.decode([...ids], {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  }

  files(): ReadonlyMap<string, string> {
    return this.#files;
  }
}

function parse(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MambaError('CHECKPOINT_FORMAT', `${path}: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MambaError('CHECKPOINT_FORMAT', `${path} must hold one JSON object`);
  }
  return value as Record<string, unknown>;
}
