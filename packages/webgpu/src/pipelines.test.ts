import { describe, expect, test } from 'vitest';
import { bindingsOf, specialise } from './pipelines.js';

describe('specialise', () => {
  const source = 'const WIDE:bool=true;const Q:u32=4u;const SIDE:u32=4u*Q;fn main(){}';

  test('sets constants to values of their type', () => {
    expect(specialise('k', source, { WIDE: false, Q: 8 })).toBe(
      'const WIDE:bool=false;const Q:u32=8u;const SIDE:u32=4u*Q;fn main(){}',
    );
  });

  test('refuses a constant that the kernel does not have', () => {
    expect(() => specialise('gemm', source, { HIGH: 1 })).toThrow('kernel gemm has no constant HIGH');
  });
});

test('bindingsOf reads the kinds by number, gaps included', () => {
  const code =
    '@group(0)@binding(2)var<storage,read_write>y:array<f32>;@group(0)@binding(0)var<storage,read>x:array<f32>;@group(0)@binding(3)var<uniform>p:P;';
  expect(bindingsOf(code)).toEqual(['read', undefined, 'write', 'uniform']);
});
