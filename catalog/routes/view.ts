import { allow, needs } from '../auth/access.ts';
import { bodyOf, viewOf } from '../http/request.ts';
import { viewCommitShape } from '../http/update-schemas.ts';
import { loadResult } from '../service/load-table.ts';
import { commitView, currentView } from '../service/views.ts';
import { noSuchView } from '../store/not-there.ts';
import { type Route, sendJson } from './route.ts';

/** GET, HEAD, POST and DELETE /v1/namespaces/{namespace}/views/{view} */
export const view: Route = (app, context) => {
  const path = '/v1/namespaces/:namespace/views/:view';
  app.get(path, allow(needs('read', 'view')), async (request, reply) =>
    sendJson(reply, loadResult(await currentView(context, viewOf(request)))),
  );
  app.head(path, allow(needs('read', 'view')), async (request, reply) => {
    const name = viewOf(request);
    if ((await context.store.findView(name)) === null) throw noSuchView(name);
    return reply.code(204).send();
  });
  app.post(path, allow(needs('write', 'view')), async (request, reply) => {
    const change = bodyOf(request, viewCommitShape);
    return sendJson(reply, loadResult(await commitView(context, viewOf(request), change)));
  });
  app.delete(path, allow(needs('manage', 'view')), async (request, reply) => {
    await context.store.dropView(viewOf(request));
    return reply.code(204).send();
  });
};
