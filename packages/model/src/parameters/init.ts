import type { Random } from '@mamba-ts/ssm';

/* Initial distributions. Each gives a function of the generator, so that a spec costs nothing until it is drawn. */

type Init = (random: Random) => Float64Array;

export function constant(size: number, value: number): Init {
  return () => new Float64Array(size).fill(value);
}

/** Uniform in (-bound, bound). */
export function uniform(size: number, bound: number): Init {
  return (random) => filled(size, () => (2 * random.next() - 1) * bound);
}

export function normal(size: number, std: number): Init {
  return (random) => filled(size, () => std * random.normal());
}

/** torch's default for Linear and Conv1d, kaiming_uniform(a = sqrt 5): uniform within 1 / sqrt(fan in). */
export function kaimingUniform(size: number, fanIn: number, scale = 1): Init {
  return uniform(size, scale / Math.sqrt(fanIn));
}

/** The same row, `rows` times. */
export function repeatRow(rows: number, row: ArrayLike<number>): Init {
  return () => filled(rows * row.length, (i) => row[i % row.length]!);
}

function filled(size: number, value: (i: number) => number): Float64Array {
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = value(i);
  return values;
}
