// IndexedDB as a queue that survives a killed browser: a write resolves only after the disk has it (strict durability).
let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('anzheng', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('answers', { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
  return opened;
}

async function run(mode, work) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('answers', mode, { durability: 'strict' });
    const request = work(transaction.objectStore('answers'));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Keeps one record; a record of the same id is replaced. */
export const keep = (record) => run('readwrite', (store) => store.put(record));

/** Records of one attempt, oldest sequence first. */
export async function kept(attempt) {
  const all = await run('readonly', (store) => store.getAll());
  return all.filter((r) => r.attempt === attempt).sort((a, b) => a.seq - b.seq);
}

/** Forgets records whose content the server has acknowledged; a newer write under the same id stays. */
export async function forget(records) {
  await run('readwrite', (store) => {
    for (const record of records) {
      const look = store.get(record.id);
      look.onsuccess = () => { if (look.result?.seq === record.seq) store.delete(record.id); };
    }
  });
}
