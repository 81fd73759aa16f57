import { describe, expect, it } from 'vitest';
import { s4dReal, s4dRealALog } from './s4d-init.js';

describe('S4D-Real', () => {
  it('is -1, -2, ..., and A_log repeats its logarithm in every channel', () => {
    expect([...s4dReal(4)]).toEqual([-1, -2, -3, -4]);
    const aLog = s4dRealALog(3, 4);
    expect(aLog.length).toBe(12);
    for (let i = 0; i < 12; i++) expect(-Math.exp(aLog[i]!)).toBeCloseTo([-1, -2, -3, -4][i % 4]!, 14);
  });
});
