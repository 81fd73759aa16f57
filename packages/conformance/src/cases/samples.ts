import type { OpName } from '@mamba-ts/backend';
import { leaves, type OpCase } from './case.js';
import { FAMILIES } from './families.js';

/** Shapes are not in question here: small ones are enough. */
const LIMITS = { maxLength: 17 };

/** One case of each op, with as many of its inputs given as it has: for what must hold of every op. */
export function samples(): ReadonlyMap<OpName, OpCase> {
  const found = new Map<OpName, OpCase>();
  for (const family of FAMILIES) {
    for (const c of family.directed(LIMITS)) {
      const best = found.get(c.op);
      if (best === undefined || richness(c) > richness(best)) found.set(c.op, c);
    }
  }
  return found;
}

/** Groups and complex numbers come in their own cases: here each input is one tensor of the usual shape. */
function richness({ inputs, grads, name }: OpCase): number {
  const plain = !/complex|group|width|weight|, one row|\[\]|no leading/.test(name);
  return leaves(inputs).length + leaves(grads).length + (plain ? 100 : 0);
}
