type Json = Readonly<Record<string, unknown>>;

/** An OpenAPI description as a page that needs nothing else: no scripts, no styles or fonts of other servers. */
export function openApiPageOf(description: Json): string {
  const { info, paths } = description;
  const rows = Object.entries(recordOf(paths)).flatMap(([path, operations]) =>
    Object.entries(recordOf(operations)).map(([method, operation]) =>
      section(method, path, recordOf(operation)),
    ),
  );
  const { title, description: about } = recordOf(info);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
summary { cursor: pointer; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .5rem; background: rgb(128 128 128 / .12); }
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(about)}</p>
<p>For programs: <a href="openapi.json">openapi.json</a></p>
${rows.join('\n')}
</body>
</html>
`;
}

function section(method: string, path: string, operation: Json): string {
  const { summary, parameters, requestBody, responses } = operation;
  const parts = [
    part('Parameters', Array.isArray(parameters) && parameters.length > 0 ? parameters : undefined),
    part('Body', schemaIn(requestBody)),
    ...Object.entries(recordOf(responses)).map(([status, answer]) => responsePart(status, recordOf(answer))),
  ];
  return `<details>
<summary><code><b>${method.toUpperCase()}</b> ${escaped(path)}</code> ${escaped(summary)}</summary>
${parts.join('')}</details>`;
}

/** Errors are of one shape everywhere: only what they mean is told. */
function responsePart(status: string, answer: Json): string {
  const schema = status.startsWith('2') ? schemaIn(answer) : undefined;
  return `<p><b>${escaped(status)}</b> ${escaped(answer['description'])}</p>${schema === undefined ? '' : shown(schema)}`;
}

function schemaIn(holder: unknown): unknown {
  const content = recordOf(recordOf(holder)['content']);
  return recordOf(content['application/json'])['schema'];
}

function part(title: string, value: unknown): string {
  return value === undefined ? '' : `<p><b>${title}</b></p>${shown(value)}`;
}

function shown(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>\n`;
}

function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: unknown): string {
  return String(text ?? '').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
