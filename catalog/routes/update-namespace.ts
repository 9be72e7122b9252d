import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { allow, needs } from '../auth/access.ts';
import { bodyOf, namespaceOf, propertiesSchema } from '../http/request.ts';
import type { Route } from './route.ts';

const body = z.object({ removals: z.array(z.string()).default([]), updates: propertiesSchema.default({}) });

/** POST /v1/namespaces/{namespace}/properties */
export const updateNamespace: Route = (app, { store }) => {
  app.post('/v1/namespaces/:namespace/properties', allow(needs('manage', 'namespace')), async (request) => {
    const { removals, updates } = bodyOf(request, body);
    const both = removals.find((key) => Object.hasOwn(updates, key));
    if (both !== undefined) {
      throw new LakeError('invalid-argument', `Property ${both} is both removed and updated`, {
        context: { type: 'UnprocessableEntityException' },
      });
    }
    let removed: string[] = [];
    await store.updateNamespace(namespaceOf(request), (properties) => {
      removed = removals.filter((key) => Object.hasOwn(properties, key));
      const kept = Object.entries(properties).filter(([key]) => !removals.includes(key));
      return { ...Object.fromEntries(kept), ...updates };
    });
    const missing = removals.filter((key) => !removed.includes(key));
    return { updated: Object.keys(updates), removed, missing };
  });
};
