/**
 * A byte-level BPE of 261 tokens, in the form of published ones: the 256 bytes under their printable names, four merges,
 * one special token.
 */
export function smallTokenizer(): Record<string, string> {
  const printable: number[] = [];
  const ranges = [
    [33, 126],
    [161, 172],
    [174, 255],
  ] as const;
  for (const [from, to] of ranges) for (let code = from; code <= to; code++) printable.push(code);
  // GPT-2 names each byte that does not print by the next character from U+0100 on.
  let next = 256;
  const name = (byte: number) => String.fromCodePoint(printable.includes(byte) ? byte : next++);
  const tokens = [...Array(256).keys()].map(name);
  const merges: [string, string][] = [
    ['h', 'e'],
    ['t', 'he'],
    ['a', 't'],
    ['\u0120', 'c'],
  ];
  for (const pair of merges) tokens.push(pair.join(''));
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        ...{ id: 260, content: '<|end|>', special: true, normalized: false },
        ...{ single_word: false, lstrip: false, rstrip: false },
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  return {
    'tokenizer.json': JSON.stringify(tokenizer),
    'tokenizer_config.json': JSON.stringify({ eos_token: '<|end|>', tokenizer_class: 'GPT2Tokenizer' }),
  };
}
