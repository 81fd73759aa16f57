import { BACKENDS, type BackendName } from 'mamba-ts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { BranchCard } from './branch-card.js';
import { type Branches, drop, FIRST, fork, measure, nextId, say } from './branches.js';
import { HalfLives } from './charts/half-lives.js';
import { ImpulseResponse } from './charts/impulse-response.js';
import { Memory } from './charts/memory.js';
import { Controls, DEFAULTS, type Settings } from './controls.js';
import { type Engine, startEngine } from './engine.js';
import type { Answer, BranchId, Opened, Reply } from './protocol.js';
import { Selection } from './selection.js';

/** A model this small decodes faster on the processor than a GPU can be told what to do. */
const FIRST_BACKEND: BackendName = 'wasm';

/** Questions that are kept on the page. */
const ANSWERS = 5;

export function App() {
  const engine = useRef<Engine>(undefined);
  const [wanted, setWanted] = useState<BackendName>(FIRST_BACKEND);
  const [opened, setOpened] = useState<Opened>();
  const [problem, setProblem] = useState<string>();
  const [branches, setBranches] = useState<Branches>(FIRST);
  const [writing, setWriting] = useState<BranchId>();
  const [reading, setReading] = useState<{ read: number; length: number }>();
  const [answers, setAnswers] = useState<readonly Answer[]>([]);
  const [settings, setSettings] = useState<Settings>(DEFAULTS);

  const backend = useRef<BackendName>(FIRST_BACKEND);
  useEffect(() => {
    const onReply = (reply: Reply) => {
      switch (reply.type) {
        case 'opened':
          backend.current = reply.backend;
          setOpened(reply);
          setProblem(undefined);
          break;
        case 'progress':
          setBranches((all) =>
            measure(say(all, reply.branch, backend.current, reply.text), reply.branch, reply),
          );
          if (reply.done) setWriting(undefined);
          break;
        case 'reading':
          setReading(reply);
          break;
        case 'answered': {
          const { answer } = reply;
          setReading(undefined);
          if (answer) setAnswers((all) => [answer, ...all].slice(0, ANSWERS));
          break;
        }
        case 'failed':
          setReading(undefined);
          setProblem(reply.message);
          setWanted(backend.current);
          break;
      }
    };
    engine.current = startEngine(onReply);
    engine.current.send({ type: 'open', backend: FIRST_BACKEND });
  }, []);

  const send: Engine['send'] = (request) => engine.current?.send(request);
  const changing = opened === undefined || wanted !== opened.backend;

  const choose = (name: BackendName) => {
    setWanted(name);
    setProblem(undefined);
    send({ type: 'open', backend: name });
  };
  const write = (branch: BranchId, prompt: string) => {
    setWriting(branch);
    setBranches((all) => say(all, branch, 'you', prompt));
    const { temperature, topP, seed, maxTokens } = settings;
    send({ type: 'write', branch, options: { prompt, temperature, topP, seed, maxTokens } });
    // The next text is another one, unless the seed is set again.
    setSettings({ ...settings, seed: seed + 1 });
  };
  const ask = (length: number) => {
    setReading({ read: 0, length });
    send({ type: 'ask', length, seed: Date.now() });
  };
  const split = (branch: BranchId) => {
    const to = nextId(branches);
    send({ type: 'fork', from: branch, to });
    setBranches(fork(branches, branch, to));
  };
  const close = (branch: BranchId) => {
    send({ type: 'drop', branch });
    setBranches(drop(branches, branch));
  };

  const ready = !changing && writing === undefined && reading === undefined;
  const longest = branches.reduce((a, b) => (b.position > a.position ? b : a));
  return (
    <>
      <header>
        <h1>mamba-ts playground</h1>
        <p>
          A Mamba of {opened ? `${(opened.facts.parameters / 1e6).toFixed(2)} million` : 'few'} parameters,
          trained on Shakespeare with mamba-ts, running on this page: nothing leaves your machine.
        </p>
        <p class="hint">
          Change the backend in the middle of a sentence, and the state goes with it. Written by{' '}
          {BACKENDS.map((name, i) => (
            <>
              {i > 0 && ', '}
              <b class={`by-${name}`}>{name}</b>
            </>
          ))}{' '}
          or <b>you</b>.
        </p>
      </header>
      <main>
        <section class="texts" aria-label="Texts">
          {branches.map((branch) => (
            <BranchCard
              key={branch.id}
              branch={branch}
              ready={ready}
              writing={writing === branch.id}
              onWrite={(prompt) => write(branch.id, prompt)}
              onStop={() => send({ type: 'stop' })}
              onFork={() => split(branch.id)}
              onClose={() => close(branch.id)}
            />
          ))}
          <Selection
            ready={ready}
            reading={reading}
            answers={answers}
            onAsk={ask}
            onStop={() => send({ type: 'stop' })}
          />
        </section>
        <aside>
          <Controls
            settings={settings}
            onChange={setSettings}
            backend={wanted}
            backends={BACKENDS}
            onBackend={choose}
            // After a failure another one may be tried, the very first included.
            locked={(changing && problem === undefined) || writing !== undefined || reading !== undefined}
          />
          <p class={problem ? 'device problem' : 'device'} role="status">
            {problem ?? (changing ? `starting ${wanted} ...` : opened.description)}
          </p>
          {opened && (
            <>
              <Memory
                facts={opened.facts}
                stateBytes={longest.stateBytes || opened.facts.stateBytes}
                position={longest.position}
              />
              <HalfLives facts={opened.facts} />
            </>
          )}
          <ImpulseResponse />
        </aside>
      </main>
    </>
  );
}
