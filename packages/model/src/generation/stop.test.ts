import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher } from './stop.js';

/** The text that is shown when the pieces come one by one, and the longest that was ever held back. */
function run(stops: string[], pieces: string[]) {
  const matcher = new StopMatcher(stops);
  let shown = '';
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece);
    shown += text;
    if (stopped) return { shown, stopped };
  }
  return { shown: shown + matcher.flush(), stopped: false };
}

describe('StopMatcher', () => {
  it('shows nothing of a stop text that comes in pieces', () => {
    expect(run(['END'], ['ab', 'cE', 'N', 'D', 'x'])).toEqual({ shown: 'abc', stopped: true });
  });

  it('holds back only what could become a stop text', () => {
    const matcher = new StopMatcher(['\n\n']);
    expect(matcher.push('a\n')).toEqual({ text: 'a', stopped: false });
    expect(matcher.push('b')).toEqual({ text: '\nb', stopped: false });
  });

  it('stops at the first of several', () => {
    expect(run(['xyz', 'b'], ['abxyz'])).toEqual({ shown: 'a', stopped: true });
  });

  it('gives out what was held back when there is no more', () => {
    expect(run(['END'], ['a', 'EN'])).toEqual({ shown: 'aEN', stopped: false });
  });

  it('lets everything through without stop texts', () => {
    expect(run([], ['a', 'b'])).toEqual({ shown: 'ab', stopped: false });
  });

  it('shows the text before the first stop, wherever the pieces are cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 24 });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
        const whole = pieces.join('');
        const ends = stops.map((s) => ({ start: whole.indexOf(s), s })).filter(({ start }) => start >= 0);
        const { shown, stopped } = run(stops, pieces);
        expect(stopped).toBe(ends.length > 0);
        if (!stopped) expect(shown).toBe(whole);
        else {
          // Seen as the text grows: what ends first, and of those the one that starts first.
          expect(whole.startsWith(shown)).toBe(true);
          expect(ends.some(({ start }) => start === shown.length)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
