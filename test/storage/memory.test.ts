import { MemoryStore } from '../../src/storage/memory.ts';
import { objectStoreContract } from '../contract/object-store.ts';

objectStoreContract('memory', async () => ({
  store: new MemoryStore(),
  root: 'memory://test/',
  dispose: async () => {},
}));
