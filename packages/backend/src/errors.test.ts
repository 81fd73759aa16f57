import { describe, expect, it } from 'vitest';
import { expectRefusal } from '../test/refusal.js';
import { MambaError, throwIfAborted } from './errors.js';

describe('MambaError', () => {
  it('carries code, details and cause', () => {
    const cause = new Error('below');
    const error = new MambaError('IO', 'cannot read', { cause, details: { path: 'a' } });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'MambaError', code: 'IO', details: { path: 'a' }, cause });
    expect(new MambaError('IO', 'cannot read').details).toEqual({});
    expect('cause' in new MambaError('IO', 'cannot read')).toBe(false);
  });
});

describe('throwIfAborted', () => {
  it('throws once the signal has fired, with its reason', () => {
    const controller = new AbortController();
    throwIfAborted(undefined, 'loading');
    throwIfAborted(controller.signal, 'loading');
    controller.abort('enough');
    expectRefusal(() => throwIfAborted(controller.signal, 'loading'), 'ABORTED', 'loading was aborted');
    try {
      throwIfAborted(controller.signal, 'loading');
    } catch (error) {
      expect((error as MambaError).cause).toBe('enough');
    }
  });
});
