import { useEffect, useRef, useState } from 'preact/hooks';
import type { Branch } from './branches.js';
import { bytes } from './format.js';

interface BranchCardProps {
  readonly branch: Branch;
  /** The model is there, and nothing is being written. */
  readonly ready: boolean;
  /** This one is being written. */
  readonly writing: boolean;
  readonly onWrite: (prompt: string) => void;
  readonly onStop: () => void;
  readonly onFork: () => void;
  readonly onClose: () => void;
}

export function BranchCard(props: BranchCardProps) {
  const { branch, ready, writing, onWrite, onStop, onFork, onClose } = props;
  const blank = branch.pieces.length === 0;
  const [prompt, setPrompt] = useState(blank ? 'ROMEO:\n' : '');
  const text = useRef<HTMLDivElement>(null);
  // Follow what is written.
  useEffect(() => {
    if (writing && text.current) text.current.scrollTop = text.current.scrollHeight;
  }, [branch.pieces, writing]);

  const submit = (event: Event) => {
    event.preventDefault();
    if (writing) {
      onStop();
    } else if (ready) {
      onWrite(prompt);
      setPrompt('');
    }
  };
  return (
    <article class="card" data-branch={branch.id}>
      <div class="text" ref={text}>
        {blank && <span class="empty">An empty page. Give it a beginning, or none.</span>}
        {branch.pieces.map(({ by, text }, i) => (
          <span key={i} class={`by-${by}`} title={by === 'you' ? 'yours' : `written by ${by}`}>
            {text}
          </span>
        ))}
        {writing && <span class="cursor" />}
      </div>
      <form onSubmit={submit}>
        <textarea
          rows={2}
          value={prompt}
          placeholder={blank ? 'how it begins' : 'put in a line, or let it go on'}
          aria-label="Your text"
          onInput={(event) => setPrompt(event.currentTarget.value)}
        />
        <div class="buttons">
          <button type="submit" class="primary" disabled={!ready && !writing}>
            {writing ? 'Stop' : blank ? 'Write' : 'Go on'}
          </button>
          <button type="button" onClick={onFork} disabled={!ready || blank} title="Two futures of one past">
            Fork
          </button>
          <button type="button" onClick={onClose} disabled={!ready || blank}>
            Discard
          </button>
        </div>
      </form>
      <footer>
        <span class="position">{branch.position.toLocaleString('en')} tokens read</span>
        {branch.stateBytes > 0 && <span>state {bytes(branch.stateBytes)}</span>}
        <span class="rate">
          {branch.tokensPerSecond > 0 ? `${branch.tokensPerSecond.toFixed(0)} tokens/s` : '–'}
        </span>
      </footer>
    </article>
  );
}
