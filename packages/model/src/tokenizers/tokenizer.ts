/** Text to token ids and back. */
export interface Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** Ids that end a text, if the tokenizer knows them. */
  readonly eosTokenIds: readonly number[];
  /** @param options.special whether to add the special tokens that begin or end a text (default true) */
  encode(text: string, options?: { special?: boolean }): number[];
  /** Special tokens are left out; bytes that are not UTF-8 come out as U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The files to save beside a model, by name; none where config.json says it all. */
  files(): ReadonlyMap<string, string>;
}

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';
