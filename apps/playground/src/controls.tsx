import type { BackendName } from 'mamba-ts';

/** How the next piece of text is written. */
export interface Settings {
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly maxTokens: number;
}

export const DEFAULTS: Settings = { temperature: 0.7, topP: 0.95, seed: 1, maxTokens: 300 };

const SLIDERS = [
  { key: 'temperature', label: 'temperature', min: 0, max: 1.5, step: 0.05 },
  { key: 'topP', label: 'top-p', min: 0.05, max: 1, step: 0.05 },
  { key: 'maxTokens', label: 'tokens', min: 10, max: 2000, step: 10 },
] as const;

interface ControlsProps {
  readonly settings: Settings;
  readonly onChange: (settings: Settings) => void;
  readonly backend: BackendName;
  readonly backends: readonly BackendName[];
  readonly onBackend: (name: BackendName) => void;
  /** A backend is not changed under a running text. */
  readonly locked: boolean;
}

export function Controls({ settings, onChange, backend, backends, onBackend, locked }: ControlsProps) {
  return (
    <div class="controls">
      <label class="backend">
        backend
        <select
          value={backend}
          disabled={locked}
          data-backend={backend}
          onInput={(event) => onBackend(event.currentTarget.value as BackendName)}
        >
          {backends.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        seed
        <input
          type="number"
          min="0"
          step="1"
          value={settings.seed}
          onInput={({ currentTarget: { valueAsNumber } }) => {
            if (Number.isSafeInteger(valueAsNumber)) onChange({ ...settings, seed: valueAsNumber });
          }}
        />
      </label>
      {SLIDERS.map(({ key, label, ...range }) => (
        <label key={key}>
          <span>
            {label} <b>{settings[key]}</b>
          </span>
          <input
            type="range"
            name={key}
            {...range}
            value={settings[key]}
            onInput={(event) => onChange({ ...settings, [key]: event.currentTarget.valueAsNumber })}
          />
        </label>
      ))}
    </div>
  );
}
