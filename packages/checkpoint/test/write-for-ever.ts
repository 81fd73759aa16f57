/*
 * Writes one generation of a checkpoint after the other into a folder until it is killed, in one file and in shards by
 * turns; says so when the first is written. Every element of a generation is its number.
 */
import { writeCheckpoint } from '../src/index.js';

const [folder, first] = process.argv.slice(2);
for (let generation = Number(first); ; generation++) {
  const data = new Uint32Array(300_000).fill(generation);
  const tensor = { dtype: 'u32', shape: [data.length], data } as const;
  const maxShardBytes = [1e9, 2.5e6, 2.5e6][generation % 3];
  await writeCheckpoint(folder, { a: tensor, b: tensor, c: tensor, d: tensor }, { maxShardBytes });
  if (generation === Number(first)) process.stdout.write('ready\n');
}
