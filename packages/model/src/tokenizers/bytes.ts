import { MambaError } from '@mamba-ts/backend';
import type { Tokenizer } from './tokenizer.js';

/** Every UTF-8 byte is a token; ids from 256 on are special and have no text. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly eosTokenIds: readonly number[];

  /**
   * @param options.eos an id of 256 or more that ends a text; none by default
   * @param options.vocabSize one more than the largest id, where there are other special ones
   */
  constructor({ eos, vocabSize }: { eos?: number | undefined; vocabSize?: number | undefined } = {}) {
    const known = eos === undefined ? 256 : eos + 1;
    this.vocabSize = vocabSize ?? known;
    this.eosTokenIds = eos === undefined ? [] : [eos];
    if (!Number.isInteger(known) || (eos !== undefined && eos < 256)) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `ByteTokenizer: eos must be an integer from 256 on, not ${eos}`,
      );
    }
    if (!Number.isInteger(this.vocabSize) || this.vocabSize < known) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `ByteTokenizer: vocabSize must be an integer from ${known} on, not ${vocabSize}`,
      );
    }
  }

  encode(text: string): number[] {
    return [...new TextEncoder().encode(text)];
  }

  decode(ids: readonly number[]): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(ids.filter((id) => id < 256)),
    );
  }

  files(): ReadonlyMap<string, string> {
    return new Map();
  }
}
