/** The mixer of splitmix32: a counter in, a well-mixed 32-bit word out. */
function mix32(counter: number): number {
  let z = counter ^ (counter >>> 16);
  z = Math.imul(z, 0x21f0aaad);
  z ^= z >>> 15;
  z = Math.imul(z, 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

const GOLDEN_GAMMA = 0x9e3779b9;

/**
 * A seeded generator of random numbers: xoshiro128** 1.1 (Blackman and Vigna, https://prng.di.unimi.it), seeded by
 * splitmix32. `next` and `int` give the same numbers on every engine; `normal` goes through `Math.log` and `Math.cos`,
 * whose last bit is the engine's.
 *
 * Its whole state is four 32-bit words, so a generator is saved with `state()` and resumed with `Random.fromState`.
 */
export class Random {
  #s0 = 0;
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;

  /**
   * @param seed any safe integer, negative ones included
   * @throws RangeError if `seed` is not a safe integer
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`Random: seed must be an integer of at most 53 bits, not ${seed}`);
    }
    const high = Math.floor(seed / 2 ** 32) | 0;
    let counter = high === 0 ? seed | 0 : (seed | 0) ^ mix32(high + GOLDEN_GAMMA);
    const word = () => {
      counter = (counter + GOLDEN_GAMMA) | 0;
      return mix32(counter);
    };
    this.#s0 = word();
    this.#s1 = word();
    this.#s2 = word();
    this.#s3 = word();
  }

  /**
   * The generator whose `state()` was `state`: it continues with the very same numbers.
   * @throws RangeError if `state` is not four 32-bit words, or all of them are zero (xoshiro's one fixed point)
   */
  static fromState(state: readonly number[]): Random {
    const [s0, s1, s2, s3] = state;
    if (state.length !== 4 || !state.every((word) => Number.isInteger(word) && word >>> 0 === word)) {
      throw new RangeError(`Random.fromState: want four integers in [0, 2^32), not [${state.join(', ')}]`);
    }
    if (state.every((word) => word === 0)) {
      throw new RangeError(
        'Random.fromState: the state of all zeros never leaves itself; take one from state()',
      );
    }
    const random = new Random(0);
    random.#s0 = s0!;
    random.#s1 = s1!;
    random.#s2 = s2!;
    random.#s3 = s3!;
    return random;
  }

  /** The four 32-bit words of state, as plain numbers that JSON keeps. */
  state(): number[] {
    return [this.#s0, this.#s1, this.#s2, this.#s3];
  }

  /** The next 32-bit word, an integer in [0, 2^32). */
  uint32(): number {
    const scrambled = Math.imul(this.#s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= this.#s1;
    this.#s1 = (this.#s1 ^ this.#s2) >>> 0;
    this.#s0 = (this.#s0 ^ this.#s3) >>> 0;
    this.#s2 = (this.#s2 ^ shifted) >>> 0;
    this.#s3 = ((this.#s3 << 11) | (this.#s3 >>> 21)) >>> 0;
    return result;
  }

  /** Uniform in [0, 1), a multiple of 2^-53 (two words a number). */
  next(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /**
   * A uniform integer in [0, n). (The bias of scaling a 53-bit fraction is below n / 2^53.)
   * @throws RangeError if `n` is not a positive safe integer
   */
  int(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new RangeError(`Random.int: n must be a positive integer of at most 53 bits, not ${n}`);
    }
    return Math.floor(this.next() * n);
  }

  /**
   * A draw from the standard normal distribution, by Box-Muller. The pair's other value is not kept: the state stays
   * four words, and a draw does not depend on how many were made before.
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }
}
