// One at a time across tabs and workers: Web Locks, which end with the tab that holds them. Where there are none (Node,
// where nothing is shared either) inside of this worker only.
//
//   const held = await tryHold("weft:ab12");            // undefined: somebody else holds it
//   const held = await hold("weft:ab12", signal);       // waits
//   held.release();
export interface Held {
  release(): void;
}

export function tryHold(name: string): Promise<Held | undefined> {
  return locks() ? ask(name, { ifAvailable: true }) : Promise.resolve(own.has(name) ? undefined : take(name));
}

export async function hold(name: string, signal?: AbortSignal): Promise<Held> {
  if (locks()) return (await ask(name, signal ? { signal } : {}))!;
  while (own.has(name)) {
    signal?.throwIfAborted();
    await own.get(name);
  }
  return take(name);
}

function locks(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

function ask(name: string, options: LockOptions): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    locks()!.request(name, options, (lock) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => resolve({ release }));
    }).catch(reject);
  });
}

const own = new Map<string, Promise<void>>();

function take(name: string): Held {
  let release!: () => void;
  own.set(name, new Promise((resolve) => (release = resolve)));
  return { release: () => (own.delete(name), release()) };
}
