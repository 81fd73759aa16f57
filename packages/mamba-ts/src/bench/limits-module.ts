/*
 * A WebAssembly module of two functions, written out byte by byte so that nothing but what is measured is in it:
 *   fma(rounds: i32) -> f32: rounds x CHAINS multiply-adds on four lanes, no chain waiting for another
 *   read(bytes: i32) -> i32: loads so much of its memory, in vectors of 16 bytes
 */

/** Independent multiply-adds in flight: above latency (4) times units (2) of today's cores, below the 16 registers. */
const CHAINS = 12;
/** Rounds of all chains in one turn of the loop: its counter then costs nothing. */
const UNROLL = 8;
/** Bytes of one turn of the reading loop. */
const READ_STRIDE = 128;

/** Floating-point operations of one round. */
export const FLOPS_PER_ROUND = CHAINS * 4 * 2;

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;

const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
const signed = (value: number): number[] => {
  const low = value & 0x7f;
  const rest = value >> 7;
  const done = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
  return done ? [low] : [low | 0x80, ...signed(rest)];
};
const vector = (items: readonly number[][]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, bytes: readonly number[]): number[] => [id, ...unsigned(bytes.length), ...bytes];
const name = (text: string): number[] => [...unsigned(text.length), ...Buffer.from(text)];

const get = (local: number) => [0x20, ...unsigned(local)];
const set = (local: number) => [0x21, ...unsigned(local)];
const i32 = (value: number) => [0x41, ...signed(value)];
const f32 = (value: number) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
const simd = (opcode: number, ...rest: number[]) => [0xfd, ...unsigned(opcode), ...rest];
const times = (count: number, make: (i: number) => number[]) =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

const LOAD = 0x00;
const F32X4_SPLAT = 0x13;
const I32X4_LANE = 0x1b;
const F32X4_LANE = 0x1f;
const I32X4_ADD = 0xae;
const F32X4_ADD = 0xe4;
const F32X4_MUL = 0xe6;
const RELAXED_MADD = 0x105;

/** do { body } while ((local -= step) > 0) */
const countdown = (local: number, step: number, body: readonly number[]) => [
  ...[0x03, 0x40],
  ...body,
  ...[...get(local), ...i32(step), 0x6b, 0x22, ...unsigned(local), ...i32(0), 0x4a, 0x0d, 0],
  0x0b,
];

function code(locals: number, body: readonly number[]): number[] {
  const bytes = [...vector([[...unsigned(locals), V128]]), ...body, 0x0b];
  return [...unsigned(bytes.length), ...bytes];
}

/** The bytes of the module; `relaxed`: with fused multiply-add. `pages`: its memory, in 64 KiB. */
export function limitsModule(relaxed: boolean, pages: number): Uint8Array<ArrayBuffer> {
  // fma: local 0 counts, 1 to CHAINS are the sums, the next two the factors, chosen so that nothing overflows.
  const [x, y] = [CHAINS + 1, CHAINS + 2];
  const multiplyAdd = (sum: number) =>
    relaxed
      ? [...get(x), ...get(y), ...get(sum), ...simd(RELAXED_MADD), ...set(sum)]
      : [...get(x), ...get(y), ...simd(F32X4_MUL), ...get(sum), ...simd(F32X4_ADD), ...set(sum)];
  const fma = code(CHAINS + 2, [
    ...[...f32(1.0001), ...simd(F32X4_SPLAT), ...set(x), ...f32(1e-9), ...simd(F32X4_SPLAT), ...set(y)],
    ...countdown(
      0,
      UNROLL,
      times(UNROLL, () => times(CHAINS, (i) => multiplyAdd(i + 1))),
    ),
    ...get(1),
    ...times(CHAINS - 1, (i) => [...get(i + 2), ...simd(F32X4_ADD)]),
    ...simd(F32X4_LANE, 0),
  ]);
  // read: local 0 counts the bytes left and, from the end, addresses; 1 to 8 are the sums.
  const loads = READ_STRIDE / 16;
  const read = code(loads, [
    ...countdown(
      0,
      READ_STRIDE,
      times(loads, (i) => [
        ...get(i + 1),
        ...get(0),
        // The counter is one stride above what it reads.
        ...[...i32(READ_STRIDE), 0x6b],
        ...simd(LOAD, 4, ...unsigned(16 * i)),
        ...simd(I32X4_ADD),
        ...set(i + 1),
      ]),
    ),
    ...get(1),
    ...times(loads - 1, (i) => [...get(i + 2), ...simd(I32X4_ADD)]),
    ...simd(I32X4_LANE, 0),
  ]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector([
        [0x60, 1, I32, 1, F32],
        [0x60, 1, I32, 1, I32],
      ]),
    ),
    ...section(3, vector([[0], [1]])),
    ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(
      7,
      vector([
        [...name('fma'), 0, 0],
        [...name('read'), 0, 1],
        [...name('memory'), 2, 0],
      ]),
    ),
    ...section(10, vector([fma, read])),
  ]);
}
