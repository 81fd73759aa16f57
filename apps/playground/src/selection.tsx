import { useState } from 'preact/hooks';
import { bytes } from './format.js';
import type { Answer } from './protocol.js';

/** Ids 0 to 15, and 16. */
const SYMBOLS = 'ABCDEFGHIJKLMNOP★';

interface SelectionProps {
  readonly ready: boolean;
  /** Of the sequence that is being read: how much is. */
  readonly reading: { readonly read: number; readonly length: number } | undefined;
  /** The newest first. */
  readonly answers: readonly Answer[];
  readonly onAsk: (length: number) => void;
  readonly onStop: () => void;
}

/** The paper's point, live: a model that selects finds one token among a million; trained on 256. */
export function Selection({ ready, reading, answers, onAsk, onStop }: SelectionProps) {
  const [power, setPower] = useState(16);
  const length = 2 ** power;
  return (
    <section class="card selection" aria-label="Selection">
      <div class="question">
        <p>
          <b>Selection.</b> A second Mamba, of 66,560 parameters, was never shown more than 256 symbols. Hide
          a <b class="star">★</b> at a random place among as many as you like, and at the end ask with another{' '}
          <b class="star">★</b>: what followed the first?
        </p>
        <div class="ask">
          <label>
            <span>
              symbols <b>{length.toLocaleString('en')}</b>
            </span>
            <input
              type="range"
              name="power"
              min="6"
              max="20"
              value={power}
              onInput={(event) => setPower(event.currentTarget.valueAsNumber)}
            />
          </label>
          {reading ? (
            <button type="button" onClick={onStop}>
              Stop
            </button>
          ) : (
            <button type="button" class="primary" disabled={!ready} onClick={() => onAsk(length)}>
              Ask
            </button>
          )}
        </div>
        {reading && <progress max={reading.length} value={reading.read} />}
      </div>
      {answers.length > 0 && (
        <ol class="answers">
          {answers.map((answer) => (
            <AnswerRow key={`${answer.place} ${answer.seconds}`} answer={answer} />
          ))}
        </ol>
      )}
    </section>
  );
}

function AnswerRow({ answer }: { readonly answer: Answer }) {
  const { length, place, around, truth, said, seconds, stateBytes } = answer;
  const star = around.indexOf(SYMBOLS.length - 1);
  const right = said === truth;
  return (
    <li data-right={right}>
      <code>
        …{' '}
        {around.map((id, i) => (
          // A row never changes.
          <span key={i} class={i === star || i === star + 1 ? 'star' : ''}>
            {SYMBOLS[id]}{' '}
          </span>
        ))}
        … ★ <b class={right ? 'right' : 'wrong'}>{SYMBOLS[said]}</b>
      </code>
      <span>
        {right ? 'Right' : `Wrong: it was ${SYMBOLS[truth]}`}, {(length - 1 - place).toLocaleString('en')}{' '}
        back among {length.toLocaleString('en')}. {seconds.toPrecision(2)} s, {bytes(stateBytes)} of state.
      </span>
    </li>
  );
}
